"""What a schema's levels mean to the generator."""

from __future__ import annotations

from services.common.errors import InvalidArgument, InvalidSchema
from services.generation.roles import LevelRoles
from services.reference.schema import Schema
from services.reference.schemas import named
from services.training.datasets.dataset import DatasetManifest


def roles_of(schema: Schema) -> LevelRoles:
    """Sort levels by what paints them: boundaries, insides of cells and nuclei, and all else.

    Raises InvalidSchema where one level is painted as two of these.

    >>> from services.reference.schemas import named
    >>> roles_of(named("cells4"))
    LevelRoles(background=(0, 1), interior=(2,), boundary=(3,))
    """
    roles: dict[int, set[str]] = {level.index: set() for level in schema.levels}
    for rule in schema.painting:
        roles[rule.level].add(_role(rule.source))
    if mixed := [level.name for level in schema.levels if len(roles[level.index]) > 1]:
        raise InvalidSchema(
            f"expected levels that are inside, boundary or background; {', '.join(mixed)} is more than one"
        )
    sorted_roles = {
        role: tuple(index for index in roles if role in roles[index]) for role in ("background", "interior", "boundary")
    }
    return LevelRoles(**sorted_roles)


def _role(source: str) -> str:
    if "boundary" in source:
        return "boundary"
    return "interior" if source.startswith(("cell", "nucle")) else "background"


def check_schema(manifest: DatasetManifest) -> None:
    """Raise InvalidArgument for a dataset whose levels are not those of its schema: a model would learn others."""
    schema = named(manifest.schema_name)
    roles = roles_of(schema)
    if (manifest.schema_version, manifest.roles) != (schema.version, roles):
        raise InvalidArgument(
            f"expected dataset {manifest.name} under {schema.name} v{schema.version}, {roles.count} levels; got "
            f"v{manifest.schema_version}, {manifest.roles.count} levels, or levels that mean something else; make it "
            "again with `biosynth dataset`"
        )
