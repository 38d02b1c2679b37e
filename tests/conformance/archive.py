"""Archives days of a running Rollcall into a folder and into a bucket, reads the files with polars, pyarrow and DuckDB, and
compares them with /stats.

Usage: archive.py URL KEY PROGRAM FOLDER, where PROGRAM is `rollcall` and FOLDER is for the archive. DATABASE_URL says where
the rows are, and BUCKET_URL and the variables of AWS's tools where the bucket is.
"""

import datetime
import importlib.resources
import json
import os
import subprocess
import sys
import time
import urllib.parse
import urllib.request

import duckdb
import polars as pl
import pyarrow.compute as pc
import pyarrow.dataset as ds

EVENTS = 20_000
LATER_EVENTS = 700
FIRST, LAST = "2026-03-01", "2026-03-07"
PERIOD = f"from={FIRST}&to={LAST}"
COLUMNS = {
    "event_id": pl.String,
    "event_type": pl.String,
    "user_id": pl.String,
    "anonymous_id": pl.String,
    "session_id": pl.String,
    "account_id": pl.String,
    "occurred_at": pl.Datetime("us", "UTC"),
    "received_at": pl.Datetime("us", "UTC"),
    "undated": pl.Boolean,
    "properties": pl.String,
}


def main(url, key, program, folder):
    def rollcall(*arguments, archive=folder):
        subprocess.run([program, *arguments], check=True, env=os.environ | {"ARCHIVE_URL": archive, "ROLLCALL_URL": url})

    def ask(path):
        request = urllib.request.Request(url + path, headers={"X-API-Key": key})
        with urllib.request.urlopen(request, timeout=60) as response:
            return json.load(response)["data"]

    def store(events, total):
        rollcall("generate", "--events", str(events), "--seed", str(total), "--from", FIRST, "--to", LAST, "--send")
        deadline = time.monotonic() + 60
        while sum(row["count"] for row in ask(f"/stats/top-events?{PERIOD}&limit=100")) < total:
            assert time.monotonic() < deadline, "the events are not stored in time"
            time.sleep(0.1)
        top = {row["event_type"]: row["count"] for row in ask(f"/stats/top-events?{PERIOD}&limit=100")}
        return top, {row["date"]: row["unique_users"] for row in ask(f"/stats/dau?{PERIOD}")}

    stats = store(EVENTS, EVENTS)
    rollcall("archive", "run", "--from", FIRST, "--to", LAST)
    compare("polars", with_polars(folder), stats)
    compare("pyarrow", with_pyarrow(folder), stats)
    compare("DuckDB", with_duckdb(duckdb.connect(), folder), stats)

    # Every day has later events, so it is due again, and an archive that does not have the day gets all of it.
    bucket = os.environ["BUCKET_URL"]
    stats = store(LATER_EVENTS, EVENTS + LATER_EVENTS)
    rollcall("archive", "run", "--from", FIRST, "--to", LAST, archive=bucket)
    compare("DuckDB over S3", with_duckdb(duckdb_for_s3(), bucket), stats)
    compare("polars over S3", with_polars(bucket, storage_options=polars_for_s3()), stats)
    print(f"polars, pyarrow and DuckDB count {EVENTS} events as /stats does, in a folder and over S3")


def with_polars(folder, **options):
    events = pl.read_parquet(f"{folder}/project=default/*/*.parquet", hive_partitioning=True, **options)
    found = {name: kind for name, kind in events.schema.items() if name not in ("project", "date")}
    assert found == COLUMNS, found
    assert all(isinstance(json.loads(text), dict) for text in events["properties"])
    person = pl.coalesce("user_id", "anonymous_id", "session_id")
    top = events.group_by("event_type").agg(pl.len().alias("n"))
    dau = events.group_by(pl.col("occurred_at").dt.date().alias("day")).agg(person.n_unique().alias("n"))
    return dict(top.iter_rows()), {str(day): n for day, n in dau.iter_rows()}


def with_pyarrow(folder):
    # A manifest begins with an underscore, so that readers of such folders skip it.
    events = ds.dataset(folder, format="parquet", partitioning="hive").to_table()
    dates = {str(date) for date in events["date"].to_pylist()}
    assert dates == {str(datetime.date.fromisoformat(FIRST) + datetime.timedelta(days=n)) for n in range(7)}, dates
    top = {row["values"]: row["counts"] for row in pc.value_counts(events["event_type"]).to_pylist()}
    person = pc.coalesce(events["user_id"], events["anonymous_id"], events["session_id"])
    pairs = set(zip((str(at.date()) for at in events["occurred_at"].to_pylist()), person.to_pylist()))
    dau = {day: sum(1 for other, _ in pairs if other == day) for day in dates}
    return top, dau


def with_duckdb(connection, folder):
    # As in docs/archive.md. The day is that of the path, in UTC; to compute it from a time would need another extension.
    events = f"read_parquet('{folder}/project=default/*/*.parquet', hive_partitioning = true)"
    top = connection.sql(f"select event_type, count(*) from {events} group by 1").fetchall()
    dau = connection.sql(
        f"select date::varchar, count(distinct coalesce(user_id, anonymous_id, session_id)) from {events} group by 1"
    ).fetchall()
    return dict(top), dict(dau)


def duckdb_for_s3():
    # The extension comes with its package, so that nothing is downloaded while this runs.
    connection = duckdb.connect()
    folder = importlib.resources.files("duckdb_extension_httpfs") / "extensions" / f"v{duckdb.__version__}"
    connection.sql(f"install '{folder / 'httpfs.duckdb_extension'}'")
    connection.sql("load httpfs")
    address = urllib.parse.urlsplit(os.environ["AWS_ENDPOINT_URL"])
    connection.sql(f"""
        create secret (type s3, key_id '{os.environ["AWS_ACCESS_KEY_ID"]}', secret '{os.environ["AWS_SECRET_ACCESS_KEY"]}',
                       endpoint '{address.netloc}', url_style 'path', use_ssl false)
    """)
    return connection


def polars_for_s3():
    return {
        "aws_endpoint_url": os.environ["AWS_ENDPOINT_URL"],
        "aws_access_key_id": os.environ["AWS_ACCESS_KEY_ID"],
        "aws_secret_access_key": os.environ["AWS_SECRET_ACCESS_KEY"],
        "aws_region": "us-east-1",
        "aws_allow_http": "true",
    }


def compare(reader, found, expected):
    for name, one, other in zip(("top events", "active users"), found, expected):
        assert one == other, f"{reader}: {name}: {one} instead of {other}"


main(*sys.argv[1:])
