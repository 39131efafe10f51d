"""What can go wrong, in the words of the domain; each error carries the gRPC status it is answered with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar


class BiosynthError(Exception):
    """An error whose message is meant for the caller: what was expected, what came, what to do.

    `status` is the name of a gRPC status code (a name, so that cores need not import grpc); `reason` and
    `metadata` travel as google.rpc.ErrorInfo, `retry_seconds` as google.rpc.RetryInfo, and `field`, the path of the
    request's field that is to blame, as google.rpc.BadRequest; `at` puts what lies around it in front.
    """

    status: ClassVar[str] = "INTERNAL"
    reason: ClassVar[str] = "INTERNAL"
    # How long to wait before asking again; None where asking again soon is of no use.
    retry_seconds: float | None = None

    def __init__(
        self, message: str, *, field: str = "", retry_seconds: float | None = None, **metadata: object
    ) -> None:
        super().__init__(message)
        self.message = message
        self.field = field
        self.metadata = {name: str(value) for name, value in metadata.items()}
        if retry_seconds is not None:
            self.retry_seconds = retry_seconds


@contextmanager
def at(field: str, channel: str = "") -> Iterator[None]:
    """While open, errors are about this field of the request, or what lies in it.

    channel: the field that chooses one of its channels, to which errors of that choice belong.

    >>> try:
    ...     with at("like"), at("image", channel="channel"):
    ...         raise InvalidImage("expected an image", field="file")
    ... except InvalidImage as error:
    ...     print(error.field)
    like.image.file
    """
    try:
        yield
    except BiosynthError as error:
        if channel and isinstance(error, WrongChannel):
            error.field = channel
        else:
            error.field = ".".join(name for name in (field, error.field) if name)
        raise


@contextmanager
def blaming(field: str) -> Iterator[None]:
    """While open, errors that do not name a field of the request are about this one."""
    try:
        yield
    except BiosynthError as error:
        error.field = error.field or field
        raise


class InvalidArgument(BiosynthError):
    """A field of the request has a value that is never right."""

    status = "INVALID_ARGUMENT"
    reason = "INVALID_ARGUMENT"


class InvalidImage(InvalidArgument):
    """The bytes are not an image that we accept."""

    reason = "INVALID_IMAGE"


class WrongChannel(InvalidImage):
    """The file has several channels and none is chosen, or it lacks the chosen one."""


class ImageTooLarge(InvalidImage):
    """The image has more pixels, pages or bytes than the limit."""

    reason = "IMAGE_TOO_LARGE"


class InvalidSegmentation(InvalidArgument):
    """The bytes or arrays are not a segmentation."""

    reason = "INVALID_SEGMENTATION"


class InvalidSchema(InvalidArgument):
    """The YAML is not a schema."""

    reason = "INVALID_SCHEMA"


class InvalidReference(InvalidArgument):
    """The pixels are not a reference under the schema."""

    reason = "INVALID_REFERENCE"


class InvalidKey(InvalidArgument):
    """The text is not an object key."""

    reason = "INVALID_KEY"


class KeyNotAllowed(BiosynthError):
    """The key lies outside the prefixes that the caller may name."""

    status = "PERMISSION_DENIED"
    reason = "KEY_NOT_ALLOWED"


class ContentMismatch(InvalidArgument):
    """The object's bytes do not have the SHA-256 that the caller named."""

    reason = "SHA256_MISMATCH"


class ObjectTooLarge(InvalidArgument):
    """The object has more bytes than the service accepts."""

    reason = "OBJECT_TOO_LARGE"


class MessageTooLarge(InvalidArgument):
    """The request has more bytes than the server takes in a message."""

    reason = "MESSAGE_TOO_LARGE"


class ObjectNotFound(BiosynthError):
    """No object has this key."""

    status = "NOT_FOUND"
    reason = "OBJECT_NOT_FOUND"


class UnknownName(BiosynthError):
    """No schema, model or segmenter has this name."""

    status = "NOT_FOUND"
    reason = "UNKNOWN_NAME"


class MissingPart(BiosynthError):
    """The segmentation lacks a part that the schema needs."""

    status = "FAILED_PRECONDITION"
    reason = "MISSING_PART"


class NoFittingModel(BiosynthError):
    """No model can be used with what the caller asked for."""

    status = "FAILED_PRECONDITION"
    reason = "NO_FITTING_MODEL"


class Unsupported(BiosynthError):
    """This deployment cannot do what was asked, though another might."""

    status = "FAILED_PRECONDITION"
    reason = "UNSUPPORTED"


class UnsuitableImage(BiosynthError):
    """Nothing was found in the image, or it is unlike those that the segmenter was made for."""

    status = "FAILED_PRECONDITION"
    reason = "UNSUITABLE_IMAGE"


class PluginFault(BiosynthError):
    """A plug-in of this deployment failed, or gave what its contract does not allow."""

    reason = "PLUGIN_FAULT"


class NotImplementedYet(BiosynthError):
    """The contract has this call; this version does not."""

    status = "UNIMPLEMENTED"
    reason = "NOT_IMPLEMENTED_YET"


class NoSuchCall(BiosynthError):
    """This server does not offer the call; another service may."""

    status = "UNIMPLEMENTED"
    reason = "NO_SUCH_CALL"


class StoreUnavailable(BiosynthError):
    """The object store does not answer; the same call may succeed later."""

    status = "UNAVAILABLE"
    reason = "STORE_UNAVAILABLE"
    retry_seconds = 1.0


class StoreFull(BiosynthError):
    """The object store has no room left."""

    status = "RESOURCE_EXHAUSTED"
    reason = "STORE_FULL"


class DeviceFull(BiosynthError):
    """The GPU has no memory left for what is to be computed."""

    status = "RESOURCE_EXHAUSTED"
    reason = "DEVICE_FULL"


class Overloaded(BiosynthError):
    """More calls wait than this server accepts; the same call may succeed later."""

    status = "RESOURCE_EXHAUSTED"
    reason = "OVERLOADED"
    retry_seconds = 1.0


class ShuttingDown(BiosynthError):
    """This server ends; another one, or its successor, may do the same call."""

    status = "UNAVAILABLE"
    reason = "SHUTTING_DOWN"
    retry_seconds = 1.0


class DependencyUnavailable(BiosynthError):
    """A service that this call needs does not answer; the same call may succeed later."""

    status = "UNAVAILABLE"
    reason = "DEPENDENCY_UNAVAILABLE"
    retry_seconds = 1.0


class Unauthenticated(BiosynthError):
    """The caller has not proved who it is."""

    status = "UNAUTHENTICATED"
    reason = "UNAUTHENTICATED"


class ConfigError(BiosynthError):
    """A setting is missing or wrong; the message names its variable."""

    status = "FAILED_PRECONDITION"
    reason = "CONFIGURATION"


class StoreRefused(ConfigError):
    """The object store refuses this service: keys, rights, bucket or clock are wrong until an operator mends them.

    Unlike other errors of the configuration it may begin and end while the service runs, as when keys are changed, and
    is no fault of the caller's: the same call may succeed later.
    """

    status = "UNAVAILABLE"
    reason = "STORE_REFUSED"
    retry_seconds = 1.0


class ResultDamaged(BiosynthError):
    """A stored result is not what its record says; it must be deleted by hand, for objects are never overwritten."""

    status = "DATA_LOSS"
    reason = "RESULT_DAMAGED"
