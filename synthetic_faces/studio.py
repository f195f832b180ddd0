"""A studio: one person, one light, and the action units that were requested."""

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

AU_LEVELS = Mapping[str, float | tuple[float, float]]
"""AU -> intensity in [0, 1], or a pair of them for the subject's left and right half of the face."""


@dataclass(frozen=True)
class Switched:
    """One face with single AUs at 0 and at 1, everything else equal.

    ``off`` uint8 (S, S); ``on`` uint8 (A, S, S) and ``masks`` bool (A, S, S) for each of ``aus``: the picture
    with that AU, and the region that it moves, where it lies in the one picture or in the other (lids that
    close move over the eye).
    """

    aus: tuple[str, ...]
    off: np.ndarray
    on: np.ndarray
    masks: np.ndarray


class Studio:
    """The people of a synthetic ``domain`` before a still camera, in even light, without noise.

    The ``seed`` is that of the domain: its person k is the person k of its sets. Pictures have ``size`` x
    ``size`` pixels. The head and the compiled kernels are stored in the folder ``cache``, without one not at
    all and where Warp keeps its own. Raises SettingError for an unknown domain, and for one whose people have
    another head model than anny's.
    """

    def __init__(self, size: int, seed: int = 0, domain: str = "lab", cache: Path | None = None) -> None:
        self.domain = domain_named(domain)
        require_head(self.domain, None)
        self.seed = seed
        self.capture = Capture(pose=0, light=0, blur=(0, 0), noise=(0, 0), window=self.domain.capture.window)
        self._renderer = Renderer(load_assets(cache), size, cache=cache)
        # Everybody is taken alike: what differs between two pictures is who and what was requested.
        shot = draw_shot(np.random.default_rng(0), self.capture)
        background = (0.45, 0.0, 0.0)
        self._shot = replace(shot, gaze=(0.0, 0.0), lids=0.02, gloss=0.15, background=background)

    def shoot(self, person: int, aus: AU_LEVELS | None = None) -> Rendered:
        """The domain's person number ``person`` (from 0) showing ``aus`` and nothing else.

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
        """uint8 (len(emotions), S, S): one person, the most frequent variant of each emotion in full."""
        return np.stack([self.shoot(person, typical_aus(emotion)).pixels for emotion in emotions])

    def switched(self, person: int, aus: tuple[str, ...] = AUS) -> Switched:
        """One neutral person, and the same picture with each of ``aus`` at full intensity."""
        off = self.shoot(person)
        on = {au: self.shoot(person, {au: 1.0}) for au in aus}
        masks = [off.mask(au) | picture.mask(au) for au, picture in on.items()]
        pixels = np.stack([picture.pixels for picture in on.values()])
        return Switched(tuple(aus), off.pixels, pixels, np.stack(masks))
