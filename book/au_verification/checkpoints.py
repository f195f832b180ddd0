"""What filters detect along training: the claim and the cause of every filter of the reference's networks,
after each epoch of which the convolutions are kept, and a control of them for the page.

``checkpoints.json`` keeps them; ``python -m book.au_verification.checkpoints`` makes it (20 core-minutes).
"""

import html
import json
from collections.abc import Mapping
from pathlib import Path

from ferbook.beside import REFERENCE
from ferbook.store import ChapterResult, open_run

CHECKPOINTS_FILE = Path(__file__).with_name("checkpoints.json")
"""``aus``: units; ``stages``: of each network (its ``seed``) and ``epoch`` the ``accuracy`` on validation
pictures, and of each filter ``claimed`` and ``caused``, numbers of units from 1, 0 for none."""

_STILL = 0
"""The network whose epochs stand in the table where no scripts run."""


def stage_verdicts() -> dict[str, list]:
    """What ``CHECKPOINTS_FILE`` keeps, asked anew as the chapter of the run ``reference`` asks."""
    from book.au_verification.chapter import AuVerificationParameters
    from book.au_verification.examine import examine
    from book.au_verification.study import TRAINED, questions_of
    from book.populations import find_population
    from fer_lib.faces.registry import open_faces
    from fer_lib.look.layers import last_conv

    run = open_run(REFERENCE).result("au_verification")
    parameters = AuVerificationParameters(**run.done()["inputs"]["parameters"])
    queries = questions_of(parameters, open_faces(parameters.face_requests[1]))
    population, stages = find_population(parameters.population), []
    number = {au: place for place, au in enumerate(("", *queries.aus))}
    for member in population.kept():
        accuracies = member.curve().set_index("epoch")["valid_accuracy"]
        last = member.done()["best_epoch"]
        early = population.checkpoints if member.seed < population.checkpointed else ()
        for epoch in (*(each for each in early if each < last), last):
            model = member.network(0 if epoch == last else epoch)
            about = (TRAINED, population.network, member.seed)
            own, _ = examine(model, last_conv(model), queries, about=about, groups=0)
            verdicts = {
                "claimed": [number[au] for au in own.claimed[0]],
                "caused": [number[au] for au in own.caused[0]],
            }
            stages.append(
                {"seed": member.seed, "epoch": epoch, "accuracy": float(accuracies[epoch])} | verdicts
            )
    return {"aus": list(queries.aus), "stages": stages}


def verdict_counts(stage: Mapping) -> tuple[int, int, int]:
    """How many filters are claimed for a unit, how many of them are verified, and for how many units."""
    verified = [au for au, cause in zip(stage["claimed"], stage["caused"], strict=True) if au and au == cause]
    return sum(au > 0 for au in stage["claimed"]), len(verified), len(set(verified))


def checkpoints(results: Mapping[str, ChapterResult]) -> str:
    """The part of the page, as HTML in one line: a table of one network's epochs, and in its place, where
    scripts run, the verdict on each filter after the epoch and of the network that a reader chooses.
    """
    content = CHECKPOINTS_FILE.read_text(encoding="utf-8")
    rows = ""
    for stage in json.loads(content)["stages"]:
        if stage["seed"] == _STILL:
            cells = (stage["epoch"], f"{100 * stage['accuracy']:.1f}\u00a0%", *verdict_counts(stage))
            rows += f"<tr>{''.join(f'<td>{html.escape(str(cell))}</td>' for cell in cells)}</tr>"
    heads = ("Epoch", "Accuracy", "Claimed", "Verified", "Units")
    head = "".join(f'<th scope="col">{each}</th>' for each in heads)
    return (
        '<details class="checkpoints"><summary>Move through training: what each filter detects after '
        "each epoch, and in another network</summary><div><p>The first network of the reference after some "
        "epochs: accuracy on validation faces, filters claimed for a unit, filters verified, and units with "
        "a verified filter.</p>"
        f'<table class="table"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div></details>'
        f'<script type="application/json" id="checkpoints-data">{content.strip()}</script>'
        '<script src="../../_static/checkpoints.js" defer></script>'
    )


if __name__ == "__main__":
    CHECKPOINTS_FILE.write_text(json.dumps(stage_verdicts(), separators=(",", ":")) + "\n", encoding="utf-8")
