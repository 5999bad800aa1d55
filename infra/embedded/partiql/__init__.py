"""DynamoDB's PartiQL writes as AWS does them, put over moto's.

moto ignores a failed condition and lets INSERT overwrite. Here a statement is compiled once and run on moto's own
tables: INSERT never overwrites, UPDATE never inserts, each has its condition, each happens whole. SELECT and
ExecuteTransaction stay moto's.
"""

from collections.abc import Callable, Sequence
from typing import Any, ParamSpec, TypeVar

from moto.core.exceptions import JsonRESTError
from moto.core.responses import ActionResult
from moto.dynamodb.exceptions import MockValidationException
from moto.dynamodb.responses import DynamoHandler, DynamoResult

from infra.embedded.atomic_requests import lock_of
from infra.embedded.partiql.grammar import Statement, parse
from infra.embedded.partiql.writes import ConditionFailed, Row, Write, perform, prepare
from infra.embedded.patches import Patches

__all__ = ["install"]

_BATCH_LIMIT = 25
_TEXT_LIMIT = 8192
_ERROR_CODES = {
    "ConditionalCheckFailedException": "ConditionalCheckFailed",
    "DuplicateItemException": "DuplicateItem",
    "ResourceNotFoundException": "ResourceNotFound",
    "ValidationException": "ValidationError",
}
Handle = Callable[[DynamoHandler], ActionResult]
P = ParamSpec("P")
T = TypeVar("T")


def install(patches: Patches) -> None:
    """Replace moto's ExecuteStatement and BatchExecuteStatement.

    Each statement's check and write happen under the lock that DynamoDB's requests hold.
    """
    execute, batch = DynamoHandler.execute_statement, DynamoHandler.batch_execute_statement
    patches.replace(DynamoHandler, "execute_statement", lambda handler: _execute(handler, execute))
    patches.replace(DynamoHandler, "batch_execute_statement", lambda handler: _batch(handler, batch))


def _execute(handler: DynamoHandler, read: Handle) -> ActionResult:
    request = handler.body
    _require_lengths([request])
    statement = parse(request["Statement"])
    if statement.verb == "SELECT":
        return read(handler)
    return DynamoResult({"Items": _perform(_prepare(handler, request, statement))})


def _batch(handler: DynamoHandler, read: Handle) -> ActionResult:
    requests = handler.body["Statements"]
    _require_lengths(requests)
    statements = [_outcome(parse, request["Statement"]) for request in requests]
    if _reads(statements):
        return read(handler)
    writes = [
        statement if isinstance(statement, JsonRESTError) else _outcome(_prepare, handler, request, statement)
        for request, statement in zip(requests, statements, strict=True)
    ]
    _require_distinct([write for write in writes if isinstance(write, Write)])
    return DynamoResult({"Responses": [_response(write) for write in writes]})


def _perform(write: Write) -> list[Row]:
    with lock_of("dynamodb"):
        return perform(write)


def _prepare(handler: DynamoHandler, request: dict[str, Any], statement: Statement) -> Write:
    returns_old = request.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD"
    parameters = request.get("Parameters") or ()
    return prepare(handler.dynamodb_backend, statement, parameters, returns_old=returns_old)


def _outcome(do: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | JsonRESTError:
    """A statement's error is a part of the batch's answer, not the end of the batch."""
    try:
        return do(*args, **kwargs)
    except JsonRESTError as error:
        return error


def _response(write: Write | JsonRESTError) -> dict[str, Any]:
    if isinstance(write, JsonRESTError):
        return {"Error": _error(write)}
    rows, table = _outcome(_perform, write), {"TableName": write.table.name}
    if isinstance(rows, JsonRESTError):
        return {"Error": _error(rows), **table}
    return {"Item": rows[0], **table} if rows else table


def _error(error: JsonRESTError) -> dict[str, Any]:
    told = {"Code": _ERROR_CODES[error.relative_error_type], "Message": error.message}
    return {**told, "Item": error.item} if isinstance(error, ConditionFailed) and error.item else told


def _reads(statements: Sequence[Statement | JsonRESTError]) -> bool:
    """Whether the batch reads; statements that don't parse have no say."""
    kinds = {one.verb == "SELECT" for one in statements if isinstance(one, Statement)}
    if len(kinds) > 1:
        raise MockValidationException("Read and write requests together in the same batch is not supported.")
    return kinds == {True}


def _require_distinct(writes: Sequence[Write]) -> None:
    if len({(write.table.name, *write.key) for write in writes}) < len(writes):
        raise MockValidationException("Provided list of item keys contains duplicates")


def _require_lengths(requests: Sequence[dict[str, Any]]) -> None:
    if len(requests) > _BATCH_LIMIT:
        raise _too_long("statements", _BATCH_LIMIT)
    if any(len(request["Statement"]) > _TEXT_LIMIT for request in requests):
        raise _too_long("statement", _TEXT_LIMIT)


def _too_long(what: str, limit: int) -> MockValidationException:
    return MockValidationException(
        f"1 validation error detected: Value at '{what}' failed to satisfy constraint: "
        f"Member must have length less than or equal to {limit}"
    )
