"""What schemathesis has to be told about Rollcall."""

import schemathesis


@schemathesis.serializer("application/x-ndjson")
def ndjson(context, value):
    """A body of lines is described as a text."""
    return value.encode() if isinstance(value, str) else b""
