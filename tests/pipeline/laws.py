"""How laws are tried here, and the values they are tried on."""

from copy import deepcopy
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st

law = settings()

scalars: st.SearchStrategy[Any] = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
)
json_values: st.SearchStrategy[Any] = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
json_objects = st.dictionaries(st.text(), json_values, max_size=4)

# What parsers trip over: halves of surrogate pairs, NUL, what JSON doesn't know, numbers nothing can hold.
oddities: st.SearchStrategy[Any] = st.sampled_from(
    [
        "\ud800",
        "\udc00x",
        "\0",
        "",
        " ",
        float("nan"),
        float("inf"),
        10**400,
        -1,
        1e308,
        True,
        [],
        {},
        [[]],
        [None],
        [{}],
        {"": None},
        "2026-13-45T99:99:99Z",
        "0001-01-01T00:00:00+23:59",
        1e20,
        "ana@customer.example\r\nBcc: all@customer.example",
        "x" * 5000,
    ]
).map(deepcopy)
