"""A folder of CSV files.

A file's first line names its columns. The column "id" holds the record's
identifier, by which rows are found again; a null is written as \\N, and a text
that begins with a backslash gets one more, as PostgreSQL's COPY does.

A ValueError says what is wrong with a file, and nothing of its content.
"""

import csv
import os
import tempfile

KEY = "id"
NAME = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}"  # of a file, without .csv
csv.field_size_limit(16 << 20)  # no value is longer than a message


def rows_of(path):
    """The rows of a file as dictionaries, and the columns first. ValueError says what is wrong with it."""
    try:
        with open(path, newline="", encoding="utf-8") as file:
            reader = csv.reader(file, strict=True)
            columns = next(reader, [KEY])
            if len(set(columns)) < len(columns) or "" in columns:
                raise ValueError(f"the first line of {path.name} does not name each column once")
            yield columns
            for row in reader:
                if len(row) != len(columns):
                    raise ValueError(f"line {reader.line_num} of {path.name} has {len(row)} values for {len(columns)} columns")
                yield {name: decoded(text) for name, text in zip(columns, row)}
    except (UnicodeDecodeError, csv.Error) as e:  # the error's own words may hold content
        raise ValueError(f"{path.name} is not a CSV file in UTF-8") from e


def columns_of(path):
    return next(rows_of(path)) if path.exists() else [KEY]


def encoded(value):
    return "\\N" if value is None else "\\" + value if value.startswith("\\") else value


def decoded(text):
    return None if text == "\\N" else text.removeprefix("\\")


def write(path, columns, rows):
    """Replaces a file: it has its old content or its new one, whatever happens."""
    with tempfile.NamedTemporaryFile("w", newline="", encoding="utf-8", dir=path.parent, prefix=".", delete=False) as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows([encoded(row.get(name)) for name in columns] for row in rows)
        file.flush()
        os.fsync(file.fileno())
    os.replace(file.name, path)


def table_of(path):
    """The columns of a file, and its rows by key; of a file that does not exist, the key and no rows."""
    lines = rows_of(path) if path.exists() else iter([[KEY]])
    columns, rows = next(lines), {}
    if KEY not in columns:
        raise ValueError(f"{path.name} has no column {KEY}, by which rows are found again")
    for row in lines:
        if row[KEY] is None or row[KEY] in rows:
            raise ValueError(f"{path.name} has a row without {KEY}, or two rows with the same one")
        rows[row[KEY]] = row
    return columns, rows
