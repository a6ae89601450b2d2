"""A recipe: every choice between a file and a feature, frozen, with an identity."""

from __future__ import annotations

import hashlib
import html
import json
from collections.abc import Iterable
from difflib import get_close_matches
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, overload

from pydantic import Field, PrivateAttr, ValidationError, field_validator, model_validator

from gclnm import vocabulary
from gclnm.engines import engine
from gclnm.engines.quantities import Quantities
from gclnm.engines.settings import Features
from gclnm.errors import RecipeError
from gclnm.harmonize.mr.settings import NOT_LEARNT, Nyul
from gclnm.harmonize.settings import HarmonizeSettings
from gclnm.prepare.settings import Prepare, Settings
from gclnm.recipe.changes import merged, plain
from gclnm.recipe.contradictions import contradictions
from gclnm.recipe.expand import Derive, Expandable, ExpandableT, Expansion, expand
from gclnm.recipe.files import dump_yaml, parse_yaml, read_yaml
from gclnm.recipe.problems import explain, raise_for, without_units
from gclnm.recipe.quantity import Quantity
from gclnm.recipe.summary import summary

if TYPE_CHECKING:
    import pandas as pd

    from gclnm.images.sample import Sample

__all__ = ["BUILT_IN", "NUMBERS_VERSION", "Recipe"]

BUILT_IN = (
    "ct",
    "ct-2d",
    "ct-spectral",
    "ct-spectral-fbn",
    "ct-iodine",
    "mr-t1",
    "mr-t2",
    "mr-dwi",
    "mr-adc",
    "pet",
)

# Raised when a correction changes the numbers that an unchanged recipe gives.
NUMBERS_VERSION = 1

# Where iodine is tabulated: below 40 keV its K-edge is near.
Level = Annotated[float, Field(ge=40, le=200, allow_inf_nan=False)]


class Recipe(Settings):
    """Every choice between a file and a feature.

    Raises
    ------
    RecipeError
        When keys are unknown, units are wrong or values are impossible: all problems at once,
        each with the path of its key.

    Examples
    --------
    >>> recipe = Recipe.named("ct")
    >>> recipe.quantity, len(recipe.features) > 100
    (('HU',), True)
    >>> fine = recipe.with_(prepare__discretise__bin_width=5, name="ct-fine")
    >>> fine.id == recipe.id
    False
    """

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")
    """Short name; also the name of the feature set unless another is given."""
    description: str = ""
    """What it is for."""
    modality: Literal["", "CT", "MR", "PT"] = ""
    """DICOM modality it is made for; empty: any."""
    quantity: tuple[Quantity, ...] = ()
    """What voxel values may be (`HU`, `SUVbw`, `arbitrary` ...); empty: anything. Others are refused."""
    engine: Literal["pyradiomics"] = "pyradiomics"
    """What computes the features."""
    energies_kev: tuple[Level, ...] = ()
    """Energy levels of spectral CT that every ROI is measured at, keV: native where there are any, else
    derived from the pair around. Empty: images as they are."""
    extrapolate: bool = False
    """Also derive energy levels outside the pair, where noise and errors grow."""
    derive: Derive = ""
    """What is made of the images of an ROI: an ADC map of its b-values; its subtraction from, or enhancement
    over, the first of a dynamic series. Empty: images as they are."""
    harmonize: HarmonizeSettings = HarmonizeSettings()
    """How stored quantities become the ones that are measured."""
    prepare: Prepare = Prepare()
    """What is done to image and ROI before."""
    compute: Features
    """The features, and how texture matrices are made."""
    quantities: Quantities = Quantities()
    """What is measured beside them on the image as scanned (SUV metrics, iodine, ADC); nothing by default."""

    _unmapped: tuple[str, ...] = PrivateAttr(default=())

    @field_validator("energies_kev")
    @classmethod
    def _rising(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        return tuple(sorted(set(value)))

    @model_validator(mode="after")
    def _one_derivation(self) -> Recipe:
        if self.energies_kev and self.derive:
            raise ValueError("derive: a recipe makes energy levels or derives images, not both")
        return self

    def __init__(self, **data: Any) -> None:
        quantity = data.get("quantity", ())
        several = quantity if isinstance(quantity, list | tuple) else ()
        units = [quantity] if isinstance(quantity, str) else [str(q) for q in several]
        cleaned, problems = without_units(data, units)
        if isinstance(quantity, str):
            cleaned["quantity"] = units
        try:
            super().__init__(**cleaned)
        except ValidationError as error:
            raise_for([*problems, *explain(error, type(self))])
        raise_for([*problems, *contradictions(self)])
        if not self.features:
            raise_for(["compute asks for no feature, or prepare.filters for no image"])

    @model_validator(mode="after")
    def _quantities_fit(self) -> Recipe:
        self.quantities.require(self.quantity)
        return self

    @classmethod
    def named(cls, name: str) -> Recipe:
        """A built-in recipe by its name in ``BUILT_IN``: ``ct``, ``ct-spectral``, ``mr-adc``, ``pet`` ...

        Raises
        ------
        RecipeError
            When there is none of that name; the nearest is given.
        """
        if name not in BUILT_IN:
            near = get_close_matches(name, BUILT_IN, n=1)
            hint = f"Did you mean {near[0]}? " if near else ""
            raise RecipeError(
                f"there is no built-in recipe {name!r}",
                fix=f"{hint}There are {', '.join(BUILT_IN)}, and paths of YAML files.",
                code="no-recipe",
            )
        text = files("gclnm.recipe").joinpath("builtin", f"{name}.yaml").read_text(encoding="utf-8")
        return cls(**parse_yaml(text))

    @classmethod
    def from_yaml(cls, path: str | Path) -> Recipe:
        """The recipe in a YAML file.

        Raises
        ------
        RecipeError
            When the file cannot be read or what it says is not a recipe.
        """
        data = read_yaml(path)
        try:
            return cls(**data)
        except RecipeError as error:
            raise RecipeError(error.what, where=str(path), fix=error.fix, code=error.code) from None

    @classmethod
    def from_pyradiomics(
        cls, path: str | Path, *, name: str | None = None, modality: str = "", quantity: Iterable[str] = ()
    ) -> Recipe:
        """The recipe that a pyradiomics parameter file describes; `unmapped` says what was left out.

        Two things differ from running pyradiomics on that file: the image is float32 (pyradiomics
        resamples integer images in integers, which gives other numbers), and a 3-D recipe refuses
        an ROI of one slice.

        Parameters
        ----------
        path
            YAML or JSON, as pyradiomics reads it; names of older pyradiomics are understood.
        name
            Name of the recipe; the file's by default.
        modality, quantity
            As in a recipe; pyradiomics accepts anything.

        Raises
        ------
        RecipeError
            When the file cannot be read or a value is impossible.
        """
        from gclnm.recipe.params import translate

        data, unmapped = translate(read_yaml(path))
        stem = "".join(c if c.isalnum() or c in "_.-" else "-" for c in Path(path).stem).strip("_.-")
        named = {"name": name or stem[:64] or "pyradiomics", "modality": modality, "quantity": list(quantity)}
        try:
            recipe = cls(**named, **data)
        except RecipeError as error:
            raise RecipeError(error.what, where=str(path), fix=error.fix, code=error.code) from None
        recipe._unmapped = unmapped
        return recipe

    @classmethod
    def of(cls, value: Recipe | str | Path) -> Recipe:
        """A recipe from a recipe, a built-in name, or the path of a YAML file.

        Raises
        ------
        RecipeError
            When it is none of these, or what it names is not there.

        Examples
        --------
        >>> Recipe.of("pet").name
        'pet'
        """
        if isinstance(value, Recipe):
            return value
        if not isinstance(value, str | Path):
            raise RecipeError(
                f"a recipe is no {type(value).__name__}",
                fix="Pass a Recipe, a built-in name or the path of a YAML file; Recipe(**...) makes one.",
                code="no-recipe",
            )
        if value in BUILT_IN:
            return cls.named(str(value))
        if isinstance(value, Path) or value.endswith((".yaml", ".yml")) or Path(value).is_file():
            return cls.from_yaml(value)
        return cls.named(value)

    def with_(self, **changes: Any) -> Recipe:
        """A copy with changes; two underscores go down to a key, mappings are merged.

        ``bin_width`` and ``bin_count`` replace each other; None takes a step out.

        Examples
        --------
        >>> ct = Recipe.named("ct")
        >>> ct.with_(prepare__filters__log={"sigma_mm": [1, 2]}).prepare.filters.log.sigma_mm
        (1.0, 2.0)
        >>> ct.with_(prepare={"resegment": None}).prepare.resegment is None
        True
        """
        data = self.model_dump(mode="json")
        for key, value in changes.items():
            *above, last = key.split("__")
            change: Any = {last: plain(value)}
            for part in reversed(above):
                change = {part: change}
            data = merged(data, change)
        return Recipe(**data)

    @cached_property
    def id(self) -> str:
        """SHA-256 of what decides the numbers: settings, engine and `NUMBERS_VERSION`; not the name."""
        settings = self.model_dump(mode="json", exclude_defaults=True, exclude={"name", "description"})
        identity = {"settings": settings, "engine": self.engine, "numbers_version": NUMBERS_VERSION}
        return hashlib.sha256(_canonical(identity).encode()).hexdigest()

    @cached_property
    def features(self) -> tuple[str, ...]:
        """Names of the columns, in order."""
        return engine(self.engine).expected(self.prepare, self.compute) + self.quantities.columns

    @property
    def diagnostics(self) -> tuple[str, ...]:
        """Names of the diagnostics, in order."""
        return engine(self.engine).diagnostics + self.quantities.diagnostics

    def require_learnt(self) -> None:
        """Refuse a recipe whose normalization has to be learnt and has not been.

        Raises
        ------
        RecipeError
            Code ``not-learnt``.
        """
        method = self.harmonize.mr.normalize
        if isinstance(method, Nyul) and method.standard is None:
            raise RecipeError(**NOT_LEARNT)

    @property
    def unmapped(self) -> tuple[str, ...]:
        """What `from_pyradiomics` could not take over, a sentence each."""
        return self._unmapped

    def feature_table(self) -> pd.DataFrame:
        """The columns of the feature set, one a row.

        Returns
        -------
        DataFrame
            ``feature`` (the column's name), ``image_type``, ``family``, ``ibsi_code``, ``unit``,
            ``lower`` and ``upper`` (what mathematics guarantees).
        """
        import pandas as pd

        parts = [vocabulary.split(column) for column in self.features]
        quantity = self.quantity[0] if len(self.quantity) == 1 else "intensity"
        lower, upper = vocabulary.bounds(self.features)
        return pd.DataFrame(
            {
                "feature": self.features,
                "image_type": [part.image_type for part in parts],
                "family": [part.family for part in parts],
                "ibsi_code": [self._ibsi_code(part.family, part.feature) for part in parts],
                "unit": [vocabulary.unit(column, quantity) for column in self.features],
                "lower": lower,
                "upper": upper,
            }
        )

    def _ibsi_code(self, family: str, name: str) -> str:
        # The IBSI knows no shift of intensities.
        if self.compute.intensity_shift and name in ("Energy", "RootMeanSquared"):
            return ""
        return vocabulary.feature(f"{family}_{name}").ibsi_code

    @overload
    def expand(self, samples: ExpandableT) -> ExpandableT: ...

    @overload
    def expand(self, samples: Iterable[Sample]) -> list[Sample]: ...

    def expand(self, samples: Any) -> Any:
        """The rows that this recipe asks for: energy levels, ADC maps, subtractions; else the samples.

        Parameters
        ----------
        samples
            What :func:`gclnm.pair` returned, or any samples.

        Returns
        -------
        Samples or list of Sample
            For ``Samples`` what cannot be made is in ``.unpaired``, with the reason; `plan` and `extract`
            tell it of any.

        Examples
        --------
        >>> Recipe.named("ct").expand([])
        []
        """
        expansion = self.expansion(samples)
        return samples.expanded(expansion) if isinstance(samples, Expandable) else list(expansion.samples)

    def expansion(self, samples: Iterable[Sample]) -> Expansion:
        """The rows that this recipe asks for, and those that cannot be made, each with its reason."""
        return expand(
            samples, energies_kev=self.energies_kev, extrapolate=self.extrapolate, derive=self.derive
        )

    def methods(self) -> str:
        """The methods paragraph of a paper: every parameter, the versions, numbered references."""
        from gclnm.recipe.methods import methods

        return methods(self)

    def to_json(self) -> str:
        """Canonical JSON of all settings: the same text for the same recipe."""
        return _canonical(self.model_dump(mode="json"))

    def to_yaml(self, path: str | Path | None = None) -> str:
        """YAML that `from_yaml` reads back to an equal recipe; also written to ``path`` when given."""
        text = dump_yaml(self.model_dump(mode="json", exclude_none=True))
        if path is not None:
            Path(path).write_text(text, encoding="utf-8")
        return text

    @classmethod
    def json_schema(cls) -> dict[str, Any]:
        """JSON Schema of recipe files, for editors."""
        schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **cls.model_json_schema()}
        schema["title"] = "gclnm recipe"
        # Of a class's docstring an editor wants the first line.
        for part in (schema, *schema["$defs"].values()):
            part["description"] = part.get("description", "").split("\n")[0]
        return schema

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Recipe) and self.to_json() == other.to_json()

    def __hash__(self) -> int:
        return hash(self.to_json())

    def __repr__(self) -> str:
        return f"Recipe {self.name!r}: " + "; ".join(f"{key} {value}" for key, value in summary(self))

    __str__ = __repr__

    def _repr_html_(self) -> str:
        rows = [("recipe", self.name), ("purpose", self.description), *summary(self)]
        rows += [("not taken over", sentence) for sentence in self.unmapped]
        cells = "".join(f"<tr><th>{html.escape(k)}</th><td>{html.escape(v)}</td></tr>" for k, v in rows if v)
        return f"<table>{cells}</table>"


def _canonical(data: Any) -> str:
    return json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
