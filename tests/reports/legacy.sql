CREATE TABLE "Genre" ("GenreId" INTEGER NOT NULL PRIMARY KEY, "Name" VARCHAR(120) NOT NULL);
CREATE TABLE "Artist" ("ArtistId" INTEGER NOT NULL PRIMARY KEY, "Name" VARCHAR(120));
CREATE TABLE "Album" (
    "AlbumId" INTEGER NOT NULL PRIMARY KEY,
    "Title" VARCHAR(160) NOT NULL,
    "ArtistId" INTEGER NOT NULL REFERENCES "Artist" ("ArtistId")
);
CREATE TABLE "Track" (
    "TrackId" INTEGER NOT NULL PRIMARY KEY,
    "Name" VARCHAR(200) NOT NULL,
    "AlbumId" INTEGER REFERENCES "Album" ("AlbumId"),
    "GenreId" INTEGER REFERENCES "Genre" ("GenreId"),
    "Milliseconds" INTEGER NOT NULL,
    "UnitPrice" NUMERIC(10, 2) NOT NULL
);
CREATE TABLE "Employee" (
    "EmployeeId" INTEGER NOT NULL PRIMARY KEY,
    "LastName" VARCHAR(20) NOT NULL,
    "Title" VARCHAR(30),
    "ReportsTo" INTEGER REFERENCES "Employee" ("EmployeeId"),
    "HireDate" TEXT NOT NULL
);
CREATE TABLE "Customer" (
    "CustomerId" INTEGER NOT NULL PRIMARY KEY,
    "LastName" VARCHAR(20) NOT NULL,
    "Country" VARCHAR(40),
    "SupportRepId" INTEGER REFERENCES "Employee" ("EmployeeId")
);
CREATE TABLE "Invoice" (
    "InvoiceId" INTEGER NOT NULL PRIMARY KEY,
    "CustomerId" INTEGER NOT NULL REFERENCES "Customer" ("CustomerId"),
    "InvoiceDate" TEXT NOT NULL,
    "BillingCountry" VARCHAR(40),
    "Total" NUMERIC(10, 2) NOT NULL
);
CREATE TABLE "InvoiceLine" (
    "InvoiceId" INTEGER NOT NULL REFERENCES "Invoice" ("InvoiceId"),
    "LineNumber" INTEGER NOT NULL,
    "TrackId" INTEGER NOT NULL REFERENCES "Track" ("TrackId"),
    "UnitPrice" NUMERIC(10, 2) NOT NULL,
    "Quantity" INTEGER NOT NULL,
    PRIMARY KEY ("InvoiceId", "LineNumber")
);
CREATE TABLE "Playlist" ("PlaylistId" INTEGER NOT NULL PRIMARY KEY, "Name" VARCHAR(120));
CREATE TABLE "PlaylistTrack" (
    "PlaylistId" INTEGER NOT NULL REFERENCES "Playlist" ("PlaylistId"),
    "TrackId" INTEGER NOT NULL REFERENCES "Track" ("TrackId"),
    PRIMARY KEY ("PlaylistId", "TrackId")
);
CREATE TABLE "LineReturn" (
    "ReturnId" INTEGER NOT NULL PRIMARY KEY,
    "InvoiceId" INTEGER NOT NULL,
    "LineNumber" INTEGER NOT NULL,
    "Reason" TEXT NOT NULL,
    FOREIGN KEY ("InvoiceId", "LineNumber") REFERENCES "InvoiceLine" ("InvoiceId", "LineNumber")
);
