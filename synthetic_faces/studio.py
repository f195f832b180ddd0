"""A studio: one person, one light, and the requested action units."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from synthetic_faces.assets import load_assets
from synthetic_faces.capture import Capture, draw_shot
from synthetic_faces.domains import domain_named, require_head
from synthetic_faces.errors import SettingError
from synthetic_faces.expressions import typical_aus
from synthetic_faces.facs import AUS
from synthetic_faces.people import draw_person
from synthetic_faces.render import Rendered, Renderer
from synthetic_faces.sequences import person_number

# AU -> intensity in [0, 1], or a pair of them for the subject's left and right half of the face.
AU_LEVELS = Mapping[str, float | tuple[float, float]]


@dataclass(frozen=True)
class Switched:
    """One face with single AUs at 0 and at 1, everything else equal.

    Attributes
    ----------
    aus : tuple of str
        A units.
    off : (S, S) uint8 array
    on : (A, S, S) uint8 array
        With each AU.
    masks : (A, S, S) bool array
        The region that the AU moves, in either picture (lids that close move over the eye).
    """

    aus: tuple[str, ...]
    off: np.ndarray
    on: np.ndarray
    masks: np.ndarray


class Studio:
    """The people of a synthetic ``domain`` in front of a fixed camera, in even light, without noise.

    Parameters
    ----------
    size : int
        Side of a picture in pixels.
    seed : int
        Person k of the domain's sets with this seed is person k here.
    domain : str
    cache : Path, optional
        Folder of the stored head and of the compiled kernels; by default the head is not stored, and Warp
        uses its own folder.

    Raises
    ------
    SettingError
        An unknown domain, or one whose people have another head model than anny's.
    """

    def __init__(self, size: int, seed: int = 0, domain: str = "lab", cache: Path | None = None) -> None:
        self.domain = domain_named(domain)
        require_head(self.domain, None)
        self.seed = seed
        self.capture = Capture(pose=0, light=0, blur=(0, 0), noise=(0, 0), window=self.domain.capture.window)
        self._renderer = Renderer(load_assets(cache), size, cache=cache)
        # All pictures are taken alike: they differ only in the person and the requested units.
        shot = draw_shot(np.random.default_rng(0), self.capture)
        background = (0.45, 0.0, 0.0)
        self._shot = replace(shot, gaze=(0.0, 0.0), lids=0.02, gloss=0.15, background=background)

    def shoot(self, person: int, aus: AU_LEVELS | None = None) -> Rendered:
        """Photograph the domain's person number ``person`` (from 0) with ``aus`` and no other.

        Raises SettingError for an unknown AU or an intensity out of range.
        """
        number = person_number(self.domain, person)
        someone = draw_person(self._renderer.assets, self.seed, number, self.domain.looks)
        intensities = np.zeros((len(AUS), 2))
        for au, level in (aus or {}).items():
            if au not in AUS:
                raise SettingError(
                    f"no action unit {au!r} in the synthetic faces; they have {', '.join(AUS)}"
                )
            intensities[AUS.index(au)] = level
        return self._renderer.render(someone, intensities, self._shot, self.capture)

    def expressions(self, person: int, emotions: tuple[str, ...]) -> np.ndarray:
        """Photograph one person with the most frequent variant of each emotion in full: uint8 (len(emotions),
        S, S).
        """
        return np.stack([self.shoot(person, typical_aus(emotion)).pixels for emotion in emotions])

    def switched(self, person: int, aus: tuple[str, ...] = AUS) -> Switched:
        """Photograph one neutral person, and the same with each of ``aus`` at full intensity."""
        off = self.shoot(person)
        on = {au: self.shoot(person, {au: 1.0}) for au in aus}
        masks = [off.mask(au) | picture.mask(au) for au, picture in on.items()]
        pixels = np.stack([picture.pixels for picture in on.values()])
        return Switched(tuple(aus), off.pixels, pixels, np.stack(masks))
