"""Releases by somebody new, and releases that lost what those before them had."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from registry.model.artifacts import Artifact
from registry.model.names import Project
from registry.pipeline.handovers import with_handovers

START = datetime(2025, 1, 1, tzinfo=UTC)


def release(number: int, day: int | None, publisher: str = "", *, attested: bool = False) -> Artifact:
    return Artifact(
        project=Project("npm", "tool"),
        filename=f"tool-{number}.0.0.tgz",
        version=f"{number}.0.0",
        published=None if day is None else START + timedelta(days=day),
        publisher=publisher,
        provenance="https://registry.example/attestations" if attested else "",
    )


def told(*files: Artifact) -> list[str]:
    return [file.handover for file in with_handovers(files)]


def test_a_release_by_somebody_new_says_who_published_before() -> None:
    by_eve = "was published by eve; releases before it by ada, bob"
    assert told(release(1, 0, "ada"), release(2, 50, "bob"), release(3, 100, "eve"))[2] == by_eve


def test_who_published_first_of_all_is_nobodys_successor() -> None:
    assert told(release(1, 0, "ada"), release(2, 1, "ada"), release(3, 400, "ada")) == ["", "", ""]


def test_a_new_publisher_stays_new_for_two_weeks() -> None:
    files = [release(1, 0, "ada"), *(release(n, 100 + n, "eve") for n in (2, 3, 15, 16, 17))]
    assert [bool(each) for each in told(*files)] == [False, True, True, True, False, False]


def test_a_release_that_lost_its_attestation_says_so() -> None:
    lost = "has no attestation of who built it, as 2.0.0 and others before it have"
    files = (release(1, 0, "ada"), release(2, 9, "ada", attested=True), release(3, 18, "ada"))
    assert told(*files) == ["", "", lost]


def test_files_of_one_release_are_not_compared_with_each_other() -> None:
    wheel, sdist = release(1, 0, attested=True), release(1, 0)
    assert told(wheel, msgspec.structs.replace(sdist, filename="tool-1.0.0.zip")) == ["", ""]


def test_without_times_the_order_of_the_index_counts() -> None:
    assert told(release(1, None, "ada"), release(2, None, "eve"))[1].startswith("was published by eve")


@given(
    st.lists(
        st.tuples(st.integers(0, 60), st.sampled_from(["", "ada", "bob", "eve"]), st.booleans()), max_size=9
    ),
    st.randoms(use_true_random=False),
)
def test_where_times_are_told_the_order_of_the_index_means_nothing(
    told_of: list[tuple[int, str, bool]], random: object
) -> None:
    # No two at one moment: which of them was first, nobody knows.
    files = [
        release(n, day * 10 + n, who, attested=attested) for n, (day, who, attested) in enumerate(told_of)
    ]
    shuffled = list(files)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    by_name = {file.filename: file.handover for file in with_handovers(shuffled)}
    assert by_name == {file.filename: file.handover for file in with_handovers(files)}
