"""
What the blog is filled with: documents of the Internet's standards series, by number, title, first author and date, with
a sentence on each.
"""

from datetime import date
from typing import NamedTuple

from examples.fastapi_blog.relations import Author, Authors, Blog, Comment, Comments, Post, Posts
from mapper import Changeset, Ref

__all__ = ["DOCUMENTS", "Document", "first_posts"]


class Document(NamedTuple):
    """
    One document.

    Attributes:
        year, month: When it was published.
        successor: The number of the document that took its place, 0 where it still holds.
    """

    number: int
    title: str
    author: str
    year: int
    month: int
    about: str
    successor: int = 0


DOCUMENTS = (
    Document(
        768, "User Datagram Protocol", "J. Postel", 1980, 8, "Datagrams with ports and a checksum, on three pages."
    ),
    Document(791, "Internet Protocol", "J. Postel", 1981, 9, "How datagrams find their way from network to network."),
    Document(792, "Internet Control Message Protocol", "J. Postel", 1981, 9, "What a gateway says when it cannot."),
    Document(
        793, "Transmission Control Protocol", "J. Postel", 1981, 9, "A stream of octets over lost datagrams.", 9293
    ),
    Document(826, "An Ethernet Address Resolution Protocol", "D. Plummer", 1982, 11, "Who has this address?"),
    Document(854, "Telnet Protocol Specification", "J. Postel", 1983, 5, "A terminal on another machine."),
    Document(959, "File Transfer Protocol", "J. Postel", 1985, 10, "One connection for commands, another for files."),
    Document(
        1034, "Domain Names: Concepts and Facilities", "P. Mockapetris", 1987, 11, "A tree of names, with caches."
    ),
    Document(
        1035, "Domain Names: Implementation and Specification", "P. Mockapetris", 1987, 11, "Records, and their TTL."
    ),
    Document(
        1149, "IP Datagrams on Avian Carriers", "D. Waitzman", 1990, 4, "High delay, low throughput, few carriers."
    ),
    Document(
        1321, "The MD5 Message-Digest Algorithm", "R. Rivest", 1992, 4, "A fingerprint of 128 bits, broken since."
    ),
    Document(1459, "Internet Relay Chat Protocol", "J. Oikarinen", 1993, 5, "Channels, nicknames, and who may speak."),
    Document(
        1945, "Hypertext Transfer Protocol: HTTP/1.0", "T. Berners-Lee", 1996, 5, "One request for each connection."
    ),
    Document(2068, "Hypertext Transfer Protocol: HTTP/1.1", "R. Fielding", 1997, 1, "Hosts, chunks and ranges.", 2616),
    Document(2119, "Key Words to Indicate Requirement Levels", "S. Bradner", 1997, 3, "What MUST and SHOULD mean."),
    Document(
        2131, "Dynamic Host Configuration Protocol", "R. Droms", 1997, 3, "Discover, offer, request, acknowledge."
    ),
    Document(
        2324, "Hyper Text Coffee Pot Control Protocol", "L. Masinter", 1998, 4, "418: the pot is short and stout."
    ),
    Document(2616, "Hypertext Transfer Protocol: HTTP/1.1", "R. Fielding", 1999, 6, "Caches are half of it.", 7230),
    Document(2818, "HTTP over TLS", "E. Rescorla", 2000, 5, "The same protocol, where nobody listens.", 9110),
    Document(
        3986, "Uniform Resource Identifier: Generic Syntax", "T. Berners-Lee", 2005, 1, "What may stand in an address."
    ),
    Document(
        5246, "Transport Layer Security 1.2", "T. Dierks", 2008, 8, "Two round trips before the first word.", 8446
    ),
    Document(6455, "The WebSocket Protocol", "I. Fette", 2011, 12, "Messages in both directions over one connection."),
    Document(7230, "HTTP/1.1: Message Syntax and Routing", "R. Fielding", 2014, 6, "The first of six parts.", 9112),
    Document(7540, "HTTP/2", "M. Belshe", 2015, 5, "Many streams in one connection.", 9113),
    Document(
        8259, "The JavaScript Object Notation Format", "T. Bray", 2017, 12, "Six kinds of values, and no comments."
    ),
    Document(8446, "Transport Layer Security 1.3", "E. Rescorla", 2018, 8, "One round trip, and less to choose from."),
    Document(9000, "QUIC", "J. Iyengar", 2021, 5, "Streams over datagrams, encrypted from the start."),
    Document(9110, "HTTP Semantics", "R. Fielding", 2022, 6, "What all versions have in common."),
    Document(9112, "HTTP/1.1", "R. Fielding", 2022, 6, "What is left when semantics are elsewhere."),
    Document(9113, "HTTP/2", "M. Thomson", 2022, 6, "Many streams in one connection, revised."),
    Document(9114, "HTTP/3", "M. Bishop", 2022, 6, "The same over QUIC."),
    Document(9293, "Transmission Control Protocol", "W. Eddy", 2022, 8, "Forty years of corrections in one document."),
)


def first_posts() -> "Changeset[Authors | Posts | Comments]":
    """Return the changes that fill an empty blog: three operations, whatever the number of rows."""
    changes = Blog.change()
    authors: dict[str, Ref[int]] = {}
    for each in DOCUMENTS:
        if each.author not in authors:
            slug = each.author.rpartition(" ")[2].lower()
            authors[each.author] = changes.inserts(Authors).push(Author(slug, each.author))
        post = changes.inserts(Posts).push(
            Post(f"rfc-{each.number}", f"RFC {each.number}: {each.title}", each.about, date(each.year, each.month, 1)),
            Posts.author_id.to(authors[each.author]),
        )
        if each.successor:
            comment = Comment("the editor", f"RFC {each.successor} has taken its place.")
            changes.inserts(Comments).push(comment, Comments.post_id.to(post))
    return changes
