"""The chapters as rules. Driven by `ferbook run`, which says what is out of date and why.

The working directory is a run's folder; `.work/inputs/<chapter>.json` holds a chapter's inputs.
Configuration: `chapters`, names with commas between; `threads`, of each chapter, so that several run side by side.
"""

import sys

from ferbook.book import CHAPTERS, followers


rule all:
    input:
        [f".work/finished/{name}" for name in config["chapters"].split(",")],


for chapter in CHAPTERS.values():

    rule:
        name:
            chapter.name
        input:
            f".work/inputs/{chapter.name}.json",
            [f".work/finished/{name}" for name in chapter.upstream],
        output:
            f".work/finished/{chapter.name}",
        log:
            f".work/logs/{chapter.name}.log",
        params:
            python=sys.executable,
            chapter=chapter.name,
        threads: int(config["threads"])
        priority: len(followers(chapter.name))
        shell:
            "FER_THREADS={threads} {params.python:q} -m ferbook.cli _execute {params.chapter} . > {log} 2>&1"
