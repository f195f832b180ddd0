"""Which chapters wait for which."""

from ferbook.book import CHAPTERS, followers, with_upstream


def test_followers_are_those_that_a_chapter_is_upstream_of_however_far():
    assert followers("faces") == ["training", "deconvolution", "au_verification", "micro_expressions"]
    assert followers("derl") == []
    for name in CHAPTERS:
        upstream = {chapter.name for chapter in with_upstream([name])} - {name}
        assert upstream == {other for other in CHAPTERS if name in followers(other)}
