"""What strangers may try in SQL, and what they may ask: each statement with a name.

In a text, `{root}` is the lake's folder, `{piece}` the name of one of its files from there, `{outside}` a folder beside
the lake that holds a secret in several formats, `{new}` a path beside it where nothing is.
"""

from typing import NamedTuple


class Statement(NamedTuple):
    """A statement and the number of the attack that it is a form of, 53 to 97; 0 where it is one of ours."""

    number: int
    name: str
    text: str


READS = [
    Statement(53, "read_text of a secret", "from read_text('{outside}/secret.txt')"),
    Statement(53, "read_text of the lake's own head", "select content from read_text('{root}/lake.json')"),
    Statement(53, "read_text of the log", "select content from read_text('{root}/log/*')"),
    Statement(53, "read_text through the lake's file system", "select content from read_text('lake://lake.json')"),
    Statement(53, "read_text of a list of files", "from read_text(['{outside}/secret.txt', '{outside}/secret.csv'])"),
    Statement(54, "read_blob of a secret", "select content::varchar from read_blob('{outside}/secret.txt')"),
    Statement(54, "read_blob of a lake file", "select size from read_blob('lake://{piece}')"),
    Statement(55, "read_csv of a secret", "from read_csv('{outside}/secret.csv')"),
    Statement(55, "read_csv_auto of a secret", "from read_csv_auto('{outside}/secret.csv', header = false)"),
    Statement(55, "read_csv of passwords", "from read_csv('/etc/passwd', sep = ':', header = false)"),
    Statement(56, "read_json of a secret", "from read_json('{outside}/secret.json')"),
    Statement(56, "read_json_auto of a secret", "from read_json_auto('{outside}/secret.json')"),
    Statement(56, "read_ndjson_objects of a secret", "from read_ndjson_objects('{outside}/secret.json')"),
    Statement(57, "sniff_csv of a secret", "from sniff_csv('{outside}/secret.csv')"),
    Statement(58, "glob of a folder", "from glob('{outside}/*')"),
    Statement(58, "glob of the root", "from glob('/*')"),
    Statement(59, "read_parquet of a secret", "from read_parquet('{outside}/secret.parquet')"),
    Statement(59, "parquet_scan of a secret", "from parquet_scan('{outside}/secret.parquet')"),
    Statement(59, "parquet_metadata of a secret", "from parquet_metadata('{outside}/secret.parquet')"),
    Statement(59, "parquet_schema of a secret", "from parquet_schema('{outside}/secret.parquet')"),
    Statement(59, "parquet_kv_metadata of a lake file", "from parquet_kv_metadata('lake://{piece}')"),
    Statement(
        59,
        "read_parquet with its row numbers",
        "select file_row_number, filename from read_parquet('{outside}/secret.parquet', file_row_number = true)",
    ),
    Statement(60, "replacement scan of a Parquet file", "from '{outside}/secret.parquet'"),
    Statement(60, "replacement scan of a CSV file", "select * from '{outside}/secret.csv'"),
    Statement(60, "replacement scan of a quoted identifier", 'from "{outside}/secret.csv"'),
    Statement(60, "replacement scan in a subquery", "select (select count(*) from '{outside}/secret.csv')"),
    Statement(
        60,
        "replacement scan in a CTE of the same name",
        """with "{outside}/secret.csv" as (from '{outside}/secret.csv') from "{outside}/secret.csv" """,
    ),
    Statement(
        61, "macro over a file", "create macro leak() as table from read_text('{outside}/secret.txt'); from leak()"
    ),
    Statement(62, "prepared read", "prepare leak as from read_text('{outside}/secret.txt'); execute leak"),
    Statement(63, "query() of a read", "from query('from read_text(''{outside}/secret.txt'')')"),
    Statement(63, "query_table() of a file", "from query_table('{outside}/secret.csv')"),
    Statement(
        63,
        "json_execute_serialized_sql",
        "from json_execute_serialized_sql(json_serialize_sql('from read_text(''{outside}/secret.txt'')'))",
    ),
    Statement(64, "symbolic link in the lake", "from read_text('{root}/link.txt')"),
    Statement(64, "symbolic link by the lake's file system", "from read_text('lake://link.txt')"),
    Statement(65, "parent folder from the lake", "from read_text('{root}/../outside/secret.txt')"),
    Statement(65, "parent folder by the lake's file system", "from read_text('lake://../outside/secret.txt')"),
    Statement(65, "parent folder from a lake file", "from read_text('lake://{piece}/../../../../outside/secret.txt')"),
    Statement(66, "environment of the process", "select content from read_text('/proc/self/environ')"),
    Statement(66, "open files of the process", "from glob('/proc/self/fd/*')"),
    Statement(66, "standard input", "from read_csv('/dev/stdin')"),
    Statement(
        67, "view on a foreign file", "create view leak as from read_parquet('{outside}/secret.parquet'); from leak"
    ),
    Statement(68, "http", "from read_csv('http://127.0.0.1:9/secret.csv')"),
    Statement(69, "s3", "from read_parquet('s3://bucket/secret.parquet')"),
    Statement(70, "file URL", "from read_csv('file://{outside}/secret.csv')"),
    Statement(71, "environment variable", "select getenv('SECRET_TOKEN')"),
    Statement(72, "settings", "from duckdb_settings()"),
    Statement(72, "settings as a view", "from pg_catalog.pg_settings"),
    Statement(72, "one setting", "select current_setting('allowed_paths')"),
    Statement(72, "one setting of a schema", "select main.current_setting('home_directory')"),
    Statement(73, "secrets", "from duckdb_secrets()"),
    Statement(74, "text of the views", "select sql from duckdb_views()"),
    Statement(74, "text of the views by the standard's name", "select view_definition from information_schema.views"),
    Statement(
        74,
        "text of a view by PostgreSQL's name",
        "select pg_get_viewdef(oid) from pg_catalog.pg_class where relname = 'counts'",
    ),
    Statement(75, "variable of this program", "from secret_rows"),
    Statement(75, "SQLite's catalogue", "from sqlite_master"),
    Statement(76, "DuckDB database file", "attach '{root}/catalog.duckdb' as stolen; from stolen.lake.commits"),
    Statement(76, "read_duckdb of the catalogue", "from read_duckdb('{root}/catalog.duckdb')"),
]

WRITES = [
    Statement(77, "COPY to a new file", "copy (select 1) to '{new}.csv'"),
    Statement(77, "COPY over a lake file", "copy (select 1 as i) to '{root}/{piece}' (format parquet)"),
    Statement(
        77, "COPY over a lake file by its file system", "copy (select 1 as i) to 'lake://{piece}' (format parquet)"
    ),
    Statement(77, "COPY over the head", "copy (select 1) to '{root}/lake.json' (format json)"),
    Statement(77, "COPY in partitions", "copy (select 1 as a, 2 as b) to '{new}' (format csv, partition_by (a))"),
    Statement(
        77,
        "COPY in partitions below a name like the file system's",
        "copy (select 1 as a, 2 as b) to 'lake:/made' (format csv, partition_by (a))",
    ),
    Statement(77, "COPY a file a thread", "copy (select 1 as a) to '{new}' (format csv, per_thread_output)"),
    Statement(77, "COPY of a table", "copy toy.counts to '{new}.csv'"),
    Statement(
        78,
        "COPY without a temporary file",
        "copy (select 1 as i) to '{root}/{piece}' (format parquet, use_tmp_file false)",
    ),
    Statement(
        78,
        "COPY without a temporary file by the lake's file system",
        "copy (select 1 as i) to 'lake://{piece}' (format parquet, use_tmp_file false)",
    ),
    Statement(79, "COPY in a CTE", "with x as (copy (select 1) to '{new}.csv') select * from x"),
    Statement(79, "COPY in a CTE of a CTE", "with y as (with x as (copy (select 1) to '{new}.csv') from x) from y"),
    Statement(79, "COPY in a CTE of a subquery", "select (with x as (copy (select 1) to '{new}.csv') select 1)"),
    Statement(
        80, "INSERT in a CTE", "with x as (insert into lake.commits (number) values (99) returning *) select * from x"
    ),
    Statement(80, "UPDATE in a CTE", "with x as (update lake.commits set number = 99 returning *) select * from x"),
    Statement(80, "DELETE in a CTE", "with x as (delete from lake.commits returning *) select * from x"),
    Statement(80, "INSERT", "insert into lake.commits (number) values (99)"),
    Statement(81, "EXPLAIN ANALYZE COPY", "explain analyze copy (select 1) to '{new}.csv'"),
    Statement(81, "EXPLAIN ANALYZE", "explain analyze select count(*) from toy.counts"),
    Statement(82, "EXPORT", "export database '{new}'"),
    Statement(82, "EXPORT below a name like the file system's", "export database 'lake:/../made'"),
    Statement(82, "EXPORT by the lake's file system", "export database 'lake:///made'"),
    Statement(82, "IMPORT", "import database '{outside}'"),
    Statement(83, "ATTACH a new file", "attach '{new}.duckdb' as made; create table made.t as select 1"),
    Statement(83, "ATTACH by the lake's file system", "attach 'lake://made.duckdb' as made"),
    Statement(83, "ATTACH in memory", "attach ':memory:' as more; create table more.t as select 1"),
    Statement(84, "spill folder", "set temp_directory = '{new}'"),
    Statement(85, "catalogue file", "copy (select 1) to '{root}/catalog.duckdb' (format csv)"),
    Statement(
        85, "catalogue file attached to write", "attach '{root}/catalog.duckdb' as c; create table c.t as select 1"
    ),
    Statement(86, "INSTALL", "install httpfs"),
    Statement(86, "INSTALL from a folder", "install made from '{outside}'"),
    Statement(87, "LOAD", "load httpfs"),
    Statement(87, "LOAD of a library", "load '{outside}/secret.txt'"),
    Statement(88, "SET", "set enable_external_access = true; from read_text('{outside}/secret.txt')"),
    Statement(88, "SET of the paths", "set allowed_directories = ['/']"),
    Statement(88, "RESET of the lock", "reset lock_configuration"),
    Statement(88, "SET GLOBAL", "set global memory_limit = '100GB'"),
    Statement(88, "SET VARIABLE", "set variable x = (select content from read_text('{outside}/secret.txt'))"),
    Statement(88, "USE", "use information_schema"),
    Statement(89, "PRAGMA", "pragma database_list"),
    Statement(
        89, "PRAGMA that writes a profile", "pragma profiling_output = '{new}.json'; pragma enable_profiling; select 1"
    ),
    Statement(89, "PRAGMA as a function", "call pragma_database_size()"),
    Statement(90, "log to files", "call enable_logging(storage = 'file', storage_path = '{new}')"),
    Statement(90, "line in the log", "select write_log('canary', level := 'error')"),
    Statement(90, "CREATE TABLE", "create table made as select 1"),
    Statement(90, "CREATE VIEW over one of the lake's", "create or replace view toy.counts as select 1"),
    Statement(90, "DROP", "drop view toy.counts"),
    Statement(90, "CREATE SECRET", "create persistent secret made (type s3, key_id 'a', secret 'b')"),
    Statement(90, "CHECKPOINT", "checkpoint"),
    Statement(90, "VACUUM", "vacuum"),
]

MORE = [
    Statement(0, "two statements", "select 1; select 2"),
    Statement(0, "no statement", ""),
    Statement(0, "a comment alone", "-- select 1"),
    Statement(0, "second statement behind a comment", "select 1 /* ; */ ; copy (select 1) to '{new}.csv' --"),
    Statement(0, "comment in a comment", "/* /* */ copy (select 1) to '{new}.csv' --*/"),
    Statement(0, "SUMMARIZE", "summarize toy.counts"),
    Statement(0, "SUMMARIZE of a file", "summarize '{outside}/secret.csv'"),
    Statement(0, "DESCRIBE in a subquery", "select * from (describe select * from '{outside}/secret.csv')"),
    Statement(0, "SHOW in a subquery", "select * from (show all tables)"),
    Statement(0, "PIVOT that makes types", "pivot toy.counts on obs_id using sum(energy_kev)"),
    Statement(0, "PIVOT of a file", "from '{outside}/secret.csv' pivot (count(*) for a in (1, 2))"),
    Statement(0, "UNPIVOT of a file", "unpivot '{outside}/secret.csv' on a into name n value v"),
    Statement(0, "TABLE of a file", 'table "{outside}/secret.csv"'),
    Statement(0, "VALUES with a read", "values ((select content from read_text('{outside}/secret.txt')))"),
    Statement(0, "function of a schema", "select system.main.current_setting('home_directory')"),
    Statement(0, "table function of a schema", "from system.main.read_text('{outside}/secret.txt')"),
    Statement(0, "four names whose middle one is left out", "select * from memory.main.duckdb_views.toy.counts"),
    Statement(0, "a database before the lake's names", "from memory.toy.counts"),
    Statement(0, "view of DuckDB's own by its schema", "from information_schema.tables"),
    Statement(0, "view of DuckDB's own in capitals", "FROM DuckDB_Settings"),
    Statement(
        0, "CTE that takes its own name from DuckDB's", "with duckdb_views as (from duckdb_views) from duckdb_views"
    ),
    Statement(
        0, "CTE in capitals with DuckDB's name", 'with "DUCKDB_TABLES" as (from "DUCKDB_TABLES") from duckdb_tables'
    ),
    Statement(
        0, "CTE used out of its scope", "select (with sqlite_master as (select 1) select 1), * from sqlite_master"
    ),
    Statement(0, "Kelvin sign for a letter", "from \u212aa.commits, la\u212ae.commits"),
    Statement(0, "full-width letters in a function", "select \uff47etenv('SECRET_TOKEN')"),
    Statement(0, "escapes in an identifier", "select U&\"\\0067etenv\"('SECRET_TOKEN')"),
    Statement(0, "a quoted function", "select \"current_setting\"('home_directory')"),
    Statement(0, "a method call", "select obs_id.current_setting() from toy.counts"),
    Statement(0, "a chain of method calls", "select obs_id.concat('_directory').current_setting() from toy.counts"),
    Statement(0, "function in a lambda", "select list_transform(['home_directory'], lambda x: current_setting(x))"),
    Statement(0, "function in a comprehension", "select [current_setting(x) for x in ['home_directory']]"),
    Statement(
        0, "function in a window", "select sum(length(current_setting('home_directory'))) over () from toy.counts"
    ),
    Statement(0, "function in FILTER", "select count(*) filter (current_setting('threads') = 1) from toy.counts"),
    Statement(0, "function in ORDER BY", "select 1 from toy.counts order by current_setting('threads')"),
    Statement(0, "function in LIMIT", "select 1 from toy.counts limit current_setting('threads')::int"),
    Statement(
        0, "function in a sort within an aggregate", "select list(row_id order by getvariable('x')) from toy.counts"
    ),
    Statement(
        0, "function in QUALIFY", "select 1 from toy.counts qualify row_number() over () < current_setting('threads')"
    ),
    Statement(
        0, "function in a join's condition", "from toy.counts a join toy.counts b on current_setting('threads') = 1"
    ),
    Statement(0, "function in REPLACE", "select * replace (current_setting('threads') as obs_id) from toy.counts"),
    Statement(
        0,
        "function in the list of a PIVOT",
        "from toy.counts pivot (max(current_setting('threads')) for obs_id in ('a'))",
    ),
    Statement(0, "function in the argument of range", "from range(length(current_setting('home_directory')))"),
    Statement(
        0,
        "subquery in the argument of range",
        "from range((select length(content) from read_text('{outside}/secret.txt')))",
    ),
    Statement(
        0,
        "read in a lateral join",
        "select * from toy.counts, lateral (select * from read_text('{outside}/secret.txt'))",
    ),
    Statement(0, "read in a positional join", "from toy.counts positional join '{outside}/secret.csv'"),
    Statement(0, "read in an ASOF join", "from toy.counts a asof join '{outside}/secret.csv' b on a.row_id >= b.a"),
    Statement(
        0,
        "read in a recursive CTE with keys",
        "with recursive t(n) using key (n) as (select 1 union select a from '{outside}/secret.csv') from t",
    ),
    Statement(0, "read in a set operation by name", "select 1 as a union all by name from '{outside}/secret.csv'"),
    Statement(0, "read in a sample", "from '{outside}/secret.csv' using sample 10 rows"),
    Statement(0, "read below EXISTS", "select exists (from '{outside}/secret.csv')"),
    Statement(0, "read at a time", "from '{outside}/secret.csv' at (version => 1)"),
    Statement(0, "columns of a file by COLUMNS", "select columns(*) from '{outside}/secret.csv'"),
    Statement(0, "table macro over a table's name", "from histogram('{outside}/secret.csv', 'a')"),
    Statement(0, "macro of the lake in a stranger's schema", "from main.totals()"),
    Statement(0, "SQL to a tree and back", "select json_deserialize_sql(json_serialize_sql('select 1'))"),
    Statement(0, "plan of a read", "select json_serialize_plan('from read_text(''{outside}/secret.txt'')')"),
    Statement(0, "states of aggregates from bytes", "select finalize('\\x00'::blob)"),
    Statement(0, "inner functions", "select __internal_decompress_string(1::utinyint)"),
    Statement(0, "sequence", "create sequence s; select nextval('s')"),
    Statement(0, "the statement itself", "select current_query()"),
    Statement(0, "seed of chance", "select setseed(0.5)"),
    Statement(0, "rows of a test", "from test_all_types()"),
    Statement(0, "scan of an address", "from arrow_scan(1, 2, 3)"),
    Statement(0, "PREPARE of a select", "prepare p as select 1"),
    Statement(0, "CALL", "call range(3)"),
    Statement(
        0, "MERGE", "merge into lake.tags using (select 1 as n) s on false when not matched then insert values ('x', 1)"
    ),
    Statement(0, "transaction", "begin; select 1"),
    Statement(0, "EXPLAIN", "explain select 1"),
]

# These do no harm and may be answered or not.
HARMLESS = [
    Statement(
        84,
        "spill by sorting",
        "select max(a) from (select range::varchar as a from range(3000000) order by hash(range))",
    ),
    Statement(0, "schemas as types", "select 1::main.secret"),
    Statement(0, "a number too deep", "select " + "(" * 3000 + "1" + ")" * 3000),
    Statement(0, "functions of functions", "select " + "abs(" * 3000 + "1" + ")" * 3000),
    Statement(0, "half a character", "select '\ud800'"),
    Statement(0, "a zero byte", "select 'a\x00b'"),
]

# What may take as long and as much as it likes.
