"""Examples of JSON documents."""

from typing import Final

from gateways import postgres as pg
from gateways.postgres import jsonb
from mapper import fn, literal, select
from tests.postgres.examples.example import Example, of, ordered
from tests.postgres.papers import Papers

__all__ = ["DOCUMENTS"]

DATA: Final = jsonb(Papers.data)

DOCUMENTS: Final = [
    # documents: operators
    Example("jsonb", lambda: of(jsonb(Papers.data)), ordered("data")),
    Example("jsonb.of a value", lambda: of(jsonb({"a": [None, "x"]})), ordered("""'{"a": [null, "x"]}'::jsonb""")),
    Example(
        "jsonb.get",
        lambda: of(DATA["tags"][0], DATA["size"], DATA["tags"][-1]),
        ordered("data -> 'tags' -> 0, data -> 'size', data -> 'tags' -> -1"),
    ),
    Example(
        "jsonb.get by expression",
        lambda: of(DATA[fn.lower(literal("SIZE"))], DATA["tags"][Papers.id - 1]),
        ordered("data -> 'size', data -> 'tags' -> (id - 1)::int"),
    ),
    Example(
        "jsonb.path", lambda: of(DATA.path("it's", 0, "deep", 1)), ordered("data #> ARRAY['it''s', '0', 'deep', '1']")
    ),
    Example(
        "jsonb.text",
        lambda: of(DATA.text("size"), DATA.text("by", "name"), DATA["size"].text()),
        ordered("data ->> 'size', data #>> '{by,name}', data ->> 'size'"),
    ),
    Example("jsonb.text by position", lambda: of(DATA["tags"].text(1)), ordered("data -> 'tags' ->> 1")),
    Example("jsonb.typed", lambda: of(DATA["tags"].typed(list[str])), ordered("data -> 'tags'")),
    Example(
        "jsonb.compared", lambda: of(Papers.id).where(DATA["size"] == 3), ordered("id", where="data -> 'size' = '3'")
    ),
    Example(
        "jsonb.compared with a text",
        lambda: of(Papers.id).where(DATA["size"] == "large"),
        ordered("id", where="""data -> 'size' = '"large"'"""),
    ),
    Example(
        "jsonb.absent", lambda: of(Papers.id).where(DATA["note"] == None), ordered("id", where="data -> 'note' IS NULL")
    ),
    Example(
        "jsonb.in",
        lambda: of(Papers.id).where(DATA["size"].in_([5, "large"])),
        ordered("id", where="""data -> 'size' IN ('5', '"large"')"""),
    ),
    Example(
        "jsonb.cast",
        lambda: of(Papers.id, DATA["size"].cast(int) + 1, DATA["size"].cast(str)).where(Papers.id < 3),
        ordered("id, (data ->> 'size')::int + 1, data ->> 'size'", where="id < 3"),
    ),
    Example(
        "jsonb.contains",
        lambda: of(DATA.contains({"tags": ["b"]}), DATA["note"].contains(None)),
        ordered("""data @> '{"tags": ["b"]}', data -> 'note' @> 'null'"""),
    ),
    Example(
        "jsonb.contained_by",
        lambda: of(DATA["tags"].contained_by(["a", "b", "c"])),
        ordered("""data -> 'tags' <@ '["a", "b", "c"]'"""),
    ),
    Example(
        "jsonb.has_key",
        lambda: of(DATA.has_key("note"), DATA["tags"].has_key("a")),
        ordered("data ? 'note', data -> 'tags' ? 'a'"),
    ),
    Example(
        "jsonb.has_any", lambda: of(DATA.has_any(["note", "nothing"])), ordered("data ?| ARRAY['note', 'nothing']")
    ),
    Example(
        "jsonb.has_all",
        lambda: of(DATA.has_all(["size", "it's"]), DATA.has_all(Papers.tags)),
        ordered("data ?& ARRAY['size', 'it''s'], data ?& tags"),
    ),
    Example(
        "jsonb.concat",
        lambda: of(DATA.concat({"size": 0, "new": None}), DATA.concat(DATA)),
        ordered("""data || '{"size": 0, "new": null}', data || data"""),
    ),
    Example(
        "jsonb.without",
        lambda: of(DATA.without("size"), DATA.without("size", "by"), DATA["tags"].without(0)),
        ordered("data - 'size', data - ARRAY['size', 'by'], (data -> 'tags') - 0"),
    ),
    Example("jsonb.without_path", lambda: of(DATA.without_path("by", "name")), ordered("data #- '{by,name}'")),
    Example(
        "jsonb.path_exists",
        lambda: of(DATA.path_exists('$.tags[*] ? (@ == "b")')),
        ordered("""data @? '$.tags[*] ? (@ == "b")'"""),
    ),
    Example("jsonb.path_matches", lambda: of(DATA.path_matches("$.size > 3")), ordered("data @@ '$.size > 3'")),
    Example(
        "jsonb.grouped",
        lambda: select(DATA.path("tags", 0), fn.count()).group_by(DATA.path("tags", 0)).order_by(DATA.path("tags", 0)),
        "SELECT data #> '{tags,0}', count(*) FROM papers GROUP BY 1 ORDER BY 1",
    ),
    # documents: functions
    Example(
        "to_jsonb",
        lambda: of(pg.to_jsonb(Papers.title), pg.to_jsonb(Papers.sizes), pg.to_jsonb(Papers.price)),
        ordered("to_jsonb(title), to_jsonb(sizes), to_jsonb(price)"),
    ),
    Example(
        "jsonb_build_object",
        lambda: of(pg.jsonb_build_object(id=Papers.id, body=Papers.body, kind="paper", none=None, list=[1])),
        ordered(
            "jsonb_build_object('id', id, 'body', body, 'kind', 'paper'::text, 'none', null, 'list', '[1]'::jsonb)"
        ),
    ),
    Example(
        "jsonb_build_array",
        lambda: of(pg.jsonb_build_array(Papers.id, "x", {"y": 1})),
        ordered("""jsonb_build_array(id, 'x'::text, '{"y": 1}'::jsonb)"""),
    ),
    Example(
        "jsonb_set",
        lambda: of(pg.jsonb_set(Papers.data, ["tags", 0], "z"), pg.jsonb_set(Papers.data, ["title"], Papers.title)),
        ordered("""jsonb_set(data, '{tags,0}', '"z"'), jsonb_set(data, '{title}', to_jsonb(title))"""),
    ),
    Example(
        "jsonb_set.null",
        lambda: of(
            pg.jsonb_set(Papers.data, ["size"], None), pg.jsonb_set(Papers.data, ["body"], Papers.body, create=False)
        ),
        ordered("""jsonb_set(data, '{size}', 'null'), data"""),
    ),
    Example(
        "jsonb_insert",
        lambda: of(
            pg.jsonb_insert(Papers.data, ["tags", 0], ["z"]),
            pg.jsonb_insert(Papers.data, ["tags", -1], None, after=True),
        ),
        ordered("""jsonb_insert(data, '{tags,0}', '["z"]'), jsonb_insert(data, '{tags,-1}', 'null', true)"""),
    ),
    Example("jsonb_strip_nulls", lambda: of(pg.jsonb_strip_nulls(Papers.data)), ordered("jsonb_strip_nulls(data)")),
    Example(
        "jsonb_typeof",
        lambda: of(pg.jsonb_typeof(DATA["size"]), pg.jsonb_typeof(DATA["nothing"])),
        ordered("jsonb_typeof(data -> 'size'), NULL"),
    ),
    Example(
        "jsonb_array_length",
        lambda: of(pg.jsonb_array_length(DATA["tags"])),
        ordered("jsonb_array_length(data -> 'tags')"),
    ),
    Example(
        "jsonb_array_elements",
        lambda: of(Papers.id, pg.jsonb_array_elements(DATA["tags"])),
        ordered("id, jsonb_array_elements(data -> 'tags')"),
    ),
    Example(
        "jsonb_array_elements_text",
        lambda: of(pg.jsonb_array_elements_text(DATA["tags"])),
        ordered("jsonb_array_elements_text(data -> 'tags')"),
    ),
    Example("jsonb_object_keys", lambda: of(pg.jsonb_object_keys(Papers.data)), ordered("jsonb_object_keys(data)")),
    Example(
        "jsonb_path_exists",
        lambda: of(pg.jsonb_path_exists(Papers.data, "$.size ? (@ > $min)", {"min": 3})),
        ordered("jsonb_path_exists(data, '$.size ? (@ > 3)')"),
    ),
    Example(
        "jsonb_path_match",
        lambda: of(pg.jsonb_path_match(Papers.data, "$.size > $min", {"min": 3}, silent=True)),
        ordered("jsonb_path_match(data, '$.size > 3', '{}', true)"),
    ),
    Example(
        "jsonb_path_query",
        lambda: of(Papers.id, pg.jsonb_path_query(Papers.data, "$.tags[*]")),
        ordered("id, jsonb_path_query(data, '$.tags[*]')"),
    ),
    Example(
        "jsonb_path_query_first",
        lambda: of(pg.jsonb_path_query_first(Papers.data, "$.**.name")),
        ordered("jsonb_path_query_first(data, '$.**.name')"),
    ),
    Example(
        "jsonb_path_query_array",
        lambda: of(pg.jsonb_path_query_array(Papers.data, "$.tags[*]")),
        ordered("jsonb_path_query_array(data, '$.tags[*]')"),
    ),
]
