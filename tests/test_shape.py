"""The size of our modules and functions stays what a reader can take in."""

import ast
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parents[1]
FOLDERS = ("pipeline", "projections", "consumers", "analytics", "infra")
LONGEST_MODULE = 250
MEDIAN_FUNCTION = 10


def modules() -> list[Path]:
    return [module for folder in FOLDERS for module in (ROOT / folder).rglob("*.py")]


def test_no_module_is_over_250_lines() -> None:
    lengths = {module.relative_to(ROOT): len(module.read_text().splitlines()) for module in modules()}
    assert {name: length for name, length in lengths.items() if length > LONGEST_MODULE} == {}


def test_the_median_function_has_at_most_10_lines() -> None:
    trees = [ast.parse(module.read_text()) for module in modules()]
    functions = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    lengths = [(node.end_lineno or 0) - node.lineno + 1 for node in functions]
    assert len(lengths) > 100
    assert median(lengths) <= MEDIAN_FUNCTION
