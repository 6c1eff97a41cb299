-- array_agg
SELECT array_agg("id" ORDER BY "id" DESC) FROM "papers"

-- array_agg.distinct
SELECT array_agg(DISTINCT "score") FROM "papers"

-- array_agg.nullable
SELECT array_agg("body" ORDER BY "id") COLLATE "C" FROM "papers"

-- array_agg.filter
SELECT array_agg("id" ORDER BY "score" DESC, "id") FILTER (WHERE "public") FROM "papers"

-- array_agg.none
SELECT array_agg("id") FROM "papers" WHERE "id" < $1::bigint
--   $1 0

-- array_agg.grouped
SELECT "author_id", array_agg("price" ORDER BY "id") FROM "papers" GROUP BY "author_id" ORDER BY "papers"."author_id"

-- array_agg.over
SELECT array_agg("id") OVER (PARTITION BY "author_id" ORDER BY "id") FROM "papers" ORDER BY "papers"."id"

-- string_agg
SELECT string_agg("title", $1::text ORDER BY "id") COLLATE "C" FROM "papers"
--   $1 "; '"

-- string_agg.distinct
SELECT string_agg(DISTINCT "title", $1::text ORDER BY "title" DESC) COLLATE "C" FROM "papers"
--   $1 ','

-- jsonb_agg
SELECT jsonb_agg("data" ORDER BY "id") FROM "papers"

-- jsonb_agg.values
SELECT jsonb_agg("body" ORDER BY "id") FROM "papers"

-- jsonb_object_agg
SELECT jsonb_object_agg("title", "sizes") FROM "papers"

-- bool_and
SELECT bool_and("public"), bool_and("score" > $1::float8) FROM "papers"
--   $1 -9.0

-- bool_or
SELECT bool_or("public") FILTER (WHERE "id" = $1::bigint) FROM "papers"
--   $1 2

-- percentile_cont
SELECT percentile_cont($1::float8) WITHIN GROUP (ORDER BY "score") FROM "papers"
--   $1 0.25

-- percentile_cont.of spans
SELECT percentile_cont($1::float8) WITHIN GROUP (ORDER BY "spent") FROM "papers"
--   $1 0.5

-- percentile_disc
SELECT percentile_disc($1::float8) WITHIN GROUP (ORDER BY "title") COLLATE "C" FROM "papers"
--   $1 1.0

-- mode
SELECT mode() WITHIN GROUP (ORDER BY "score") FILTER (WHERE "id" > $1::bigint) FROM "papers"
--   $1 0

-- array
SELECT ARRAY["title", $1::text, "title"] COLLATE "C" FROM "papers" ORDER BY "papers"."id"
--   $1 "it's"

-- array_contains
SELECT "tags" @> $1::text[] FROM "papers" ORDER BY "papers"."id"
--   $1 ['fun']

-- array_contains.nothing
SELECT "tags" @> $1::text[] FROM "papers" ORDER BY "papers"."id"
--   $1 []

-- array_contained_by
SELECT "tags" <@ $1::text[] FROM "papers" ORDER BY "papers"."id"
--   $1 ['fun', 'weather', 'x']

-- array_overlaps
SELECT "id" FROM "papers" WHERE "sizes" && $1::bigint[] ORDER BY "id"
--   $1 [7, 1]

-- array_length
SELECT CAST(cardinality("tags") AS bigint), CAST(cardinality("sizes") AS bigint) FROM "papers" ORDER BY "papers"."id"

-- array_item
SELECT ("sizes")[CAST($1::bigint AS int)], (("tags")[CAST("id" AS int)]) COLLATE "C" FROM "papers" ORDER BY "papers"."id"
--   $1 2

-- array_slice
SELECT (("tags")[CAST($1::bigint AS int):CAST($2::bigint AS int)]) COLLATE "C" FROM "papers" ORDER BY "papers"."id"
--   $1 2
--   $2 9

-- array_append
SELECT array_append("sizes", $1::bigint), array_append("tags", "title") COLLATE "C" FROM "papers" ORDER BY "papers"."id"
--   $1 9

-- array_prepend
SELECT array_prepend($1::text, "tags") COLLATE "C" FROM "papers" ORDER BY "papers"."id"
--   $1 'x'

-- array_cat
SELECT array_cat("tags", $1::text[]) COLLATE "C", array_cat("sizes", "sizes") FROM "papers" ORDER BY "papers"."id"
--   $1 ['y']

-- array_remove
SELECT array_remove("tags", $1::text) COLLATE "C" FROM "papers" ORDER BY "papers"."id"
--   $1 'fun'

-- array_replace
SELECT array_replace("tags", $1::text, $2::text) COLLATE "C" FROM "papers" ORDER BY "papers"."id"
--   $1 'fun'
--   $2 'sun'

-- array_position
SELECT CAST(array_position("tags", $1::text) AS bigint), CAST(array_position("tags", $2::text, CAST($3::bigint AS int)) AS bigint) FROM "papers" ORDER BY "papers"."id"
--   $1 'fun'
--   $2 'fun'
--   $3 3

-- array_positions
SELECT CAST(array_positions("tags", $1::text) AS bigint[]), CAST(array_positions("sizes", $2::bigint) AS bigint[]) FROM "papers" ORDER BY "papers"."id"
--   $1 'fun'
--   $2 7

-- array_to_string
SELECT array_to_string("tags", $1::text) COLLATE "C", array_to_string("sizes", $2::text, $3::text) COLLATE "C" FROM "papers" ORDER BY "papers"."id"
--   $1 '-'
--   $2 '-'
--   $3 '?'

-- string_to_array
SELECT string_to_array("title", $1::text) COLLATE "C" FROM "papers" ORDER BY "papers"."id"
--   $1 ' '

-- unnest
SELECT "id", unnest("tags") COLLATE "C" FROM "papers" ORDER BY "papers"."id"

-- jsonb
SELECT "data" FROM "papers" ORDER BY "papers"."id"

-- jsonb.of a value
SELECT $1::jsonb FROM "papers" ORDER BY "papers"."id"
--   $1 '{"a":[null,"x"]}'

-- jsonb.get
SELECT ("data" -> $1::text) -> CAST($2::bigint AS int), "data" -> $3::text, ("data" -> $4::text) -> CAST($5::bigint AS int) FROM "papers" ORDER BY "papers"."id"
--   $1 'tags'
--   $2 0
--   $3 'size'
--   $4 'tags'
--   $5 -1

-- jsonb.get by expression
SELECT "data" -> lower($1::text COLLATE "default") COLLATE "C", ("data" -> $2::text) -> CAST(("id" - $3::bigint) AS int) FROM "papers" ORDER BY "papers"."id"
--   $1 'SIZE'
--   $2 'tags'
--   $3 1

-- jsonb.path
SELECT "data" #> $1::text[] FROM "papers" ORDER BY "papers"."id"
--   $1 ["it's", '0', 'deep', '1']

-- jsonb.text
SELECT ("data" ->> $1::text) COLLATE "C", ("data" #>> $2::text[]) COLLATE "C", (("data" -> $3::text) #>> '{}') COLLATE "C" FROM "papers" ORDER BY "papers"."id"
--   $1 'size'
--   $2 ['by', 'name']
--   $3 'size'

-- jsonb.text by position
SELECT (("data" -> $1::text) ->> CAST($2::bigint AS int)) COLLATE "C" FROM "papers" ORDER BY "papers"."id"
--   $1 'tags'
--   $2 1

-- jsonb.typed
SELECT ("data" -> $1::text) FROM "papers" ORDER BY "papers"."id"
--   $1 'tags'

-- jsonb.compared
SELECT "id" FROM "papers" WHERE ("data" -> $1::text) = $2::jsonb ORDER BY "id"
--   $1 'size'
--   $2 '3'

-- jsonb.compared with a text
SELECT "id" FROM "papers" WHERE ("data" -> $1::text) = $2::jsonb ORDER BY "id"
--   $1 'size'
--   $2 '"large"'

-- jsonb.absent
SELECT "id" FROM "papers" WHERE ("data" -> $1::text) IS NULL ORDER BY "id"
--   $1 'note'

-- jsonb.in
SELECT "id" FROM "papers" WHERE ("data" -> $1::text) = ANY($2::jsonb[]) ORDER BY "id"
--   $1 'size'
--   $2 ['5', '"large"']

-- jsonb.cast
SELECT "id", CAST(trunc(CAST((("data" -> $1::text) #>> '{}') AS numeric)) AS bigint) + $2::bigint, (("data" -> $3::text) #>> '{}') COLLATE "C" FROM "papers" WHERE "id" < $4::bigint ORDER BY "papers"."id"
--   $1 'size'
--   $2 1
--   $3 'size'
--   $4 3

-- jsonb.contains
SELECT "data" @> $1::jsonb, ("data" -> $2::text) @> (CAST('null' AS jsonb)) FROM "papers" ORDER BY "papers"."id"
--   $1 '{"tags":["b"]}'
--   $2 'note'

-- jsonb.contained_by
SELECT ("data" -> $1::text) <@ $2::jsonb FROM "papers" ORDER BY "papers"."id"
--   $1 'tags'
--   $2 '["a","b","c"]'

-- jsonb.has_key
SELECT "data" ? $1::text, ("data" -> $2::text) ? $3::text FROM "papers" ORDER BY "papers"."id"
--   $1 'note'
--   $2 'tags'
--   $3 'a'

-- jsonb.has_any
SELECT "data" ?| $1::text[] FROM "papers" ORDER BY "papers"."id"
--   $1 ['note', 'nothing']

-- jsonb.has_all
SELECT "data" ?& $1::text[], "data" ?& "tags" FROM "papers" ORDER BY "papers"."id"
--   $1 ['size', "it's"]

-- jsonb.concat
SELECT "data" || $1::jsonb, "data" || "data" FROM "papers" ORDER BY "papers"."id"
--   $1 '{"size":0,"new":null}'

-- jsonb.without
SELECT "data" - $1::text, "data" - $2::text[], ("data" -> $3::text) - CAST($4::bigint AS int) FROM "papers" ORDER BY "papers"."id"
--   $1 'size'
--   $2 ['size', 'by']
--   $3 'tags'
--   $4 0

-- jsonb.without_path
SELECT "data" #- $1::text[] FROM "papers" ORDER BY "papers"."id"
--   $1 ['by', 'name']

-- jsonb.path_exists
SELECT "data" @? CAST($1::text AS jsonpath) FROM "papers" ORDER BY "papers"."id"
--   $1 '$.tags[*] ? (@ == "b")'

-- jsonb.path_matches
SELECT "data" @@ CAST($1::text AS jsonpath) FROM "papers" ORDER BY "papers"."id"
--   $1 '$.size > 3'

-- jsonb.grouped
SELECT "data" #> $1::text[], count(*) FROM "papers" GROUP BY "data" #> $1::text[] ORDER BY "papers"."data" #> $1::text[]
--   $1 ['tags', '0']

-- to_jsonb
SELECT to_jsonb("title"), to_jsonb("sizes"), to_jsonb("price") FROM "papers" ORDER BY "papers"."id"

-- jsonb_build_object
SELECT jsonb_build_object($1::text, "id", $2::text, "body", $3::text, $4::jsonb, $5::text, CAST('null' AS jsonb), $6::text, $7::jsonb) FROM "papers" ORDER BY "papers"."id"
--   $1 'id'
--   $2 'body'
--   $3 'kind'
--   $4 '"paper"'
--   $5 'none'
--   $6 'list'
--   $7 '[1]'

-- jsonb_build_array
SELECT jsonb_build_array("id", $1::jsonb, $2::jsonb) FROM "papers" ORDER BY "papers"."id"
--   $1 '"x"'
--   $2 '{"y":1}'

-- jsonb_set
SELECT jsonb_set_lax("data", $1::text[], $2::jsonb, $3::boolean, 'use_json_null'), jsonb_set_lax("data", $4::text[], to_jsonb("title"), $5::boolean, 'use_json_null') FROM "papers" ORDER BY "papers"."id"
--   $1 ['tags', '0']
--   $2 '"z"'
--   $3 True
--   $4 ['title']
--   $5 True

-- jsonb_set.null
SELECT jsonb_set_lax("data", $1::text[], CAST('null' AS jsonb), $2::boolean, 'use_json_null'), jsonb_set_lax("data", $3::text[], to_jsonb("body"), $4::boolean, 'use_json_null') FROM "papers" ORDER BY "papers"."id"
--   $1 ['size']
--   $2 True
--   $3 ['body']
--   $4 False

-- jsonb_insert
SELECT jsonb_insert("data", $1::text[], coalesce($2::jsonb, CAST('null' AS jsonb)), $3::boolean), jsonb_insert("data", $4::text[], coalesce(CAST('null' AS jsonb), CAST('null' AS jsonb)), $5::boolean) FROM "papers" ORDER BY "papers"."id"
--   $1 ['tags', '0']
--   $2 '["z"]'
--   $3 False
--   $4 ['tags', '-1']
--   $5 True

-- jsonb_strip_nulls
SELECT jsonb_strip_nulls("data") FROM "papers" ORDER BY "papers"."id"

-- jsonb_typeof
SELECT jsonb_typeof("data" -> $1::text) COLLATE "C", jsonb_typeof("data" -> $2::text) COLLATE "C" FROM "papers" ORDER BY "papers"."id"
--   $1 'size'
--   $2 'nothing'

-- jsonb_array_length
SELECT CAST(jsonb_array_length("data" -> $1::text) AS bigint) FROM "papers" ORDER BY "papers"."id"
--   $1 'tags'

-- jsonb_array_elements
SELECT "id", jsonb_array_elements("data" -> $1::text) FROM "papers" ORDER BY "papers"."id"
--   $1 'tags'

-- jsonb_array_elements_text
SELECT jsonb_array_elements_text("data" -> $1::text) COLLATE "C" FROM "papers" ORDER BY "papers"."id"
--   $1 'tags'

-- jsonb_object_keys
SELECT jsonb_object_keys("data") COLLATE "C" FROM "papers" ORDER BY "papers"."id"

-- jsonb_path_exists
SELECT jsonb_path_exists("data", CAST($1::text AS jsonpath), $2::jsonb, $3::boolean) FROM "papers" ORDER BY "papers"."id"
--   $1 '$.size ? (@ > $min)'
--   $2 '{"min":3}'
--   $3 False

-- jsonb_path_match
SELECT jsonb_path_match("data", CAST($1::text AS jsonpath), $2::jsonb, $3::boolean) FROM "papers" ORDER BY "papers"."id"
--   $1 '$.size > $min'
--   $2 '{"min":3}'
--   $3 True

-- jsonb_path_query
SELECT "id", jsonb_path_query("data", CAST($1::text AS jsonpath), $2::jsonb, $3::boolean) FROM "papers" ORDER BY "papers"."id"
--   $1 '$.tags[*]'
--   $2 '{}'
--   $3 False

-- jsonb_path_query_first
SELECT jsonb_path_query_first("data", CAST($1::text AS jsonpath), $2::jsonb, $3::boolean) FROM "papers" ORDER BY "papers"."id"
--   $1 '$.**.name'
--   $2 '{}'
--   $3 False

-- jsonb_path_query_array
SELECT jsonb_path_query_array("data", CAST($1::text AS jsonpath), $2::jsonb, $3::boolean) FROM "papers" ORDER BY "papers"."id"
--   $1 '$.tags[*]'
--   $2 '{}'
--   $3 False

-- date_trunc
SELECT date_trunc('month', "published", 'UTC'), CAST(date_trunc('quarter', CAST("day" AS timestamp)) AS date) FROM "papers" ORDER BY "papers"."id"

-- date_trunc.naive
SELECT date_trunc('hour', ("published" AT TIME ZONE $1::text)) FROM "papers" ORDER BY "papers"."id"
--   $1 'Asia/Kolkata'

-- extract
SELECT CAST(extract(isodow FROM ("published" AT TIME ZONE 'UTC')) AS bigint), CAST(extract(quarter FROM CAST("day" AS timestamp)) AS bigint), CAST(extract(hour FROM "spent") AS bigint) FROM "papers" ORDER BY "papers"."id"

-- extract.fraction
SELECT CAST(extract(epoch FROM ("published" AT TIME ZONE 'UTC')) AS numeric), CAST(extract(second FROM ("published" AT TIME ZONE 'UTC')) AS numeric) FROM "papers" ORDER BY "papers"."id"

-- to_char
SELECT to_char(("published" AT TIME ZONE 'UTC'), $1::text) COLLATE "C", to_char(CAST("day" AS timestamp), $2::text) COLLATE "C", to_char("price", $3::text) COLLATE "C", to_char("spent", $4::text) COLLATE "C" FROM "papers" ORDER BY "papers"."id"
--   $1 'YYYY-MM-DD HH24:MI'
--   $2 'Day'
--   $3 'FM990.00'
--   $4 'HH24'

-- at_time_zone
SELECT ("published" AT TIME ZONE $1::text), (("published" AT TIME ZONE $2::text) AT TIME ZONE $3::text) FROM "papers" ORDER BY "papers"."id"
--   $1 'Europe/Berlin'
--   $2 'Asia/Tokyo'
--   $3 'UTC'

-- generate_series
SELECT "id", generate_series($1::bigint, "id", $2::bigint) FROM "papers" ORDER BY "papers"."id"
--   $1 1
--   $2 1

-- generate_series.of days
SELECT CAST(generate_series(CAST($1::date AS timestamp), CAST("day" AS timestamp), $2::interval) AS date) FROM "papers" WHERE "id" = $3::bigint ORDER BY "papers"."id"
--   $1 datetime.date(2024, 2, 28)
--   $2 datetime.timedelta(days=1)
--   $3 1

-- generate_series.of moments
SELECT (generate_series("published" AT TIME ZONE 'UTC', $1::timestamptz AT TIME ZONE 'UTC', $2::interval) AT TIME ZONE 'UTC') FROM "papers" WHERE "id" = $3::bigint ORDER BY "papers"."id"
--   $1 datetime.datetime(2024, 2, 1, 2, 0, tzinfo=datetime.timezone.utc)
--   $2 datetime.timedelta(seconds=3600)
--   $3 1

-- distinct_on
SELECT DISTINCT ON ("author_id") "title" FROM "papers" ORDER BY "author_id", "id" DESC

-- distinct_on.an expression
SELECT DISTINCT ON (coalesce("body", $1::text) COLLATE "C") "id" FROM "papers" ORDER BY coalesce("body", $1::text) COLLATE "C", "id"
--   $1 '?'

-- lateral
SELECT "authors"."name", "latest"."c0" FROM "authors" JOIN LATERAL (SELECT "papers"."title" AS "c0" FROM "papers" WHERE "papers"."author_id" = "authors"."id" ORDER BY "papers"."id" DESC LIMIT $1::bigint) AS "latest" ON "latest"."c0" <> $2::text ORDER BY "authors"."id"
--   $1 1
--   $2 ''

-- range_contains
SELECT "days" @> $1::date FROM "loans" ORDER BY "loans"."id"
--   $1 datetime.date(2024, 2, 1)

-- range_contains.a range
SELECT "days" @> $1::daterange FROM "loans" ORDER BY "loans"."id"
--   $1 <Range [datetime.date(2024, 3, 1), datetime.date(2024, 6, 1))>

-- range_overlaps
SELECT "days" && $1::daterange FROM "loans" ORDER BY "loans"."id"
--   $1 <Range [datetime.date(2024, 3, 1), datetime.date(2024, 6, 1))>

-- range_before
SELECT "days" << $1::daterange FROM "loans" ORDER BY "loans"."id"
--   $1 <Range [datetime.date(2024, 3, 1), datetime.date(2024, 6, 1))>

-- range_after
SELECT "days" >> $1::daterange FROM "loans" ORDER BY "loans"."id"
--   $1 <Range [datetime.date(2024, 3, 1), datetime.date(2024, 6, 1))>

-- range_adjacent
SELECT "days" -|- $1::daterange FROM "loans" ORDER BY "loans"."id"
--   $1 <Range [datetime.date(2024, 3, 1), datetime.date(2024, 6, 1))>

-- range_lower
SELECT lower("days") FROM "loans" ORDER BY "loans"."id"

-- range_upper
SELECT upper("days") FROM "loans" ORDER BY "loans"."id"

-- range_is_empty
SELECT isempty("days") FROM "loans" ORDER BY "loans"."id"

-- range_intersection
SELECT lower("days" * $1::daterange) FROM "loans" ORDER BY "loans"."id"
--   $1 <Range [datetime.date(2024, 3, 1), datetime.date(2024, 6, 1))>

-- range_union
SELECT upper("days" + "days") FROM "loans" ORDER BY "loans"."id"

-- range_difference
SELECT upper("days" - $1::daterange) FROM "loans" ORDER BY "loans"."id"
--   $1 <Range [datetime.date(2024, 3, 1), datetime.date(2024, 6, 1))>

-- network_contains
SELECT "network" >>= $1::inet FROM "loans" ORDER BY "loans"."id"
--   $1 IPv4Address('10.1.2.3')

-- network_overlaps
SELECT "network" && $1::cidr FROM "loans" ORDER BY "loans"."id"
--   $1 IPv4Network('10.2.0.0/16')

-- ilike
SELECT "title" COLLATE "default" ILIKE $1::text, "title" COLLATE "default" ILIKE $2::text FROM "papers" ORDER BY "papers"."id"
--   $1 '%CAFÉ%'
--   $2 'straße%'

-- regex
SELECT "title" COLLATE "default" ~ $1::text, "title" COLLATE "default" ~* $2::text FROM "papers" ORDER BY "papers"."id"
--   $1 '^\\w+ cat'
--   $2 'THE'

-- regex.not
SELECT "id" FROM "papers" WHERE NOT ("title" COLLATE "default" ~ $1::text) ORDER BY "id"
--   $1 "'"

-- regexp_replace
SELECT regexp_replace("title" COLLATE "default", $1::text, $2::text, $3::text) COLLATE "C", regexp_replace("body" COLLATE "default", $4::text, $5::text, $6::text) COLLATE "C" FROM "papers" ORDER BY "papers"."id"
--   $1 '([aeiou])'
--   $2 '<\\1>'
--   $3 'gi'
--   $4 'a'
--   $5 '_'
--   $6 ''

-- regexp_match
SELECT regexp_match("title" COLLATE "default", $1::text, $2::text) COLLATE "C" FROM "papers" ORDER BY "papers"."id"
--   $1 '(\\w)(x)?'
--   $2 ''

-- regexp_substring
SELECT (regexp_match("title" COLLATE "default", $1::text, $2::text))[1] COLLATE "C", (regexp_match("title" COLLATE "default", $3::text, $4::text))[1] COLLATE "C" FROM "papers" ORDER BY "papers"."id"
--   $1 '[a-z]{4,}'
--   $2 ''
--   $3 't(h)e'
--   $4 'i'

-- regexp_split_to_array
SELECT regexp_split_to_array("title" COLLATE "default", $1::text, $2::text) COLLATE "C" FROM "papers" ORDER BY "papers"."id"
--   $1 '\\s+'
--   $2 ''

-- similarity
SELECT CAST(similarity("title", $1::text) AS float8) FROM "papers" ORDER BY "papers"."id"
--   $1 'the cat'

-- word_similarity
SELECT CAST(word_similarity($1::text, "title") AS float8) FROM "papers" ORDER BY "papers"."id"
--   $1 'cat'

-- tsvector
SELECT to_tsvector(CAST('english' AS regconfig), "title"), to_tsvector(CAST('simple' AS regconfig), "body") FROM "papers" ORDER BY "papers"."id"

-- tsvector.config of a row
SELECT to_tsvector(CAST(lower($1::text COLLATE "default") COLLATE "C" AS regconfig), "title") FROM "papers" ORDER BY "papers"."id"
--   $1 'SIMPLE'

-- tsvector_concat
SELECT to_tsvector(CAST('english' AS regconfig), "title") || "search" FROM "pages" ORDER BY "pages"."id"

-- setweight
SELECT setweight("search", 'B') FROM "pages" ORDER BY "pages"."id"

-- tsquery
SELECT to_tsquery(CAST('english' AS regconfig), $1::text), !! to_tsquery(CAST('english' AS regconfig), $2::text) FROM "papers" ORDER BY "papers"."id"
--   $1 'cats & !birds'
--   $2 'cat <-> sat'

-- SearchQuery.and_
SELECT to_tsquery(CAST('english' AS regconfig), $1::text) && to_tsquery(CAST('english' AS regconfig), $2::text) FROM "papers" ORDER BY "papers"."id"
--   $1 'cat'
--   $2 'dog'

-- SearchQuery.or_
SELECT to_tsquery(CAST('english' AS regconfig), $1::text) || plainto_tsquery(CAST('english' AS regconfig), $2::text) FROM "papers" ORDER BY "papers"."id"
--   $1 'cat'
--   $2 'rainy day'

-- SearchQuery.negated
SELECT !! plainto_tsquery(CAST('english' AS regconfig), $1::text) FROM "papers" ORDER BY "papers"."id"
--   $1 'cat'

-- SearchQuery.followed_by
SELECT tsquery_phrase(to_tsquery(CAST('english' AS regconfig), $1::text), to_tsquery(CAST('english' AS regconfig), $2::text), CAST($3::bigint AS int)) FROM "papers" ORDER BY "papers"."id"
--   $1 'cat'
--   $2 'dog'
--   $3 3

-- plainto_tsquery
SELECT plainto_tsquery(CAST('english' AS regconfig), "title") FROM "papers" ORDER BY "papers"."id"

-- phraseto_tsquery
SELECT phraseto_tsquery(CAST('english' AS regconfig), $1::text) FROM "papers" ORDER BY "papers"."id"
--   $1 'the fat cat'

-- websearch_to_tsquery
SELECT websearch_to_tsquery(CAST('pg_catalog.english' AS regconfig), $1::text) FROM "papers" ORDER BY "papers"."id"
--   $1 '"fat cat" or rain -dog & ('

-- match
SELECT "id" FROM "pages" WHERE "search" @@ plainto_tsquery(CAST('english' AS regconfig), $1::text) ORDER BY "id"
--   $1 'dogs'

-- ts_rank
SELECT CAST(ts_rank("search", to_tsquery(CAST('english' AS regconfig), $1::text), CAST($2::bigint AS int)) AS float8) FROM "pages" ORDER BY "pages"."id"
--   $1 'cat | dog'
--   $2 0

-- ts_rank.weights
SELECT CAST(ts_rank(CAST($1::float8[] AS real[]), "search", to_tsquery(CAST('english' AS regconfig), $2::text), CAST($3::bigint AS int)) AS float8) FROM "pages" ORDER BY "pages"."id"
--   $1 [0.0, 0.0, 0.0, 1.0]
--   $2 'cat'
--   $3 32

-- ts_rank_cd
SELECT CAST(ts_rank_cd("search", to_tsquery(CAST('english' AS regconfig), $1::text), CAST($2::bigint AS int)) AS float8), CAST(ts_rank_cd(CAST($3::float8[] AS real[]), "search", to_tsquery(CAST('english' AS regconfig), $4::text), CAST($5::bigint AS int)) AS float8) FROM "pages" ORDER BY "pages"."id"
--   $1 'cat & dog'
--   $2 0
--   $3 [0.1, 0.2, 0.4, 1.0]
--   $4 'cat'
--   $5 0

-- ts_headline
SELECT ts_headline(CAST('english' AS regconfig), "body", to_tsquery(CAST('english' AS regconfig), $1::text)) COLLATE "C" FROM "papers" ORDER BY "papers"."id"
--   $1 'cat'

-- ts_headline.options
SELECT ts_headline(CAST('english' AS regconfig), "title", to_tsquery(CAST('english' AS regconfig), $1::text), $2::text) COLLATE "C" FROM "papers" ORDER BY "papers"."id"
--   $1 'cat'
--   $2 'StartSel="<b class=""x"">", StopSel="</b>", HighlightAll="true"'
