"""The table of face sets: read into values of the declared types."""

import dataclasses

from pydantic import TypeAdapter

from face_sets.sources import SOURCES, Source


def test_every_fact_is_of_the_type_that_is_declared():
    rows = [dataclasses.asdict(source) for source in SOURCES]
    assert TypeAdapter(list[Source]).validate_python(rows) == [*SOURCES]


def test_a_generated_set_is_like_another_in_what_it_does_not_say():
    lab, wild = SOURCES[0], SOURCES[1]
    assert (wild.name, wild.size, wild.shareable) == ("wild", 48, True)
    assert wild.licence == lab.licence and wild.title != lab.title
    generated = ["lab", "wild", "game", "micro", "heads"]
    assert [source.name for source in SOURCES if not source.reader] == generated
