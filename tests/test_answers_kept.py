"""The memory of answers: what is found in it, what goes first, and how much room it takes."""

from sys import getsizeof

from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.responses import Response

from app.answers import Answer, Answers


def answer_of(size: int, headers: int = 0) -> Answer:
    response = Response(b"x" * size, headers={"Link": "x" * headers})
    return Answer.of(response, '"x"')


class TestAnswers:
    def test_least_recently_asked_for_goes_first(self) -> None:
        answers = Answers(100_000)
        questions = [(str(number),) for number in range(40)]
        for question in questions[:20]:
            answers.keep(question, 1, answer_of(3_500))
        assert answers.find(questions[0], 1) is not None
        for question in questions[20:]:
            answers.keep(question, 1, answer_of(3_500))
            assert answers.find(questions[0], 1) is not None
        assert answers.find(questions[1], 1) is None
        assert answers.find(questions[39], 1) is not None

    def test_too_large_an_answer_is_not_kept_and_pushes_nothing_out(self) -> None:
        answers = Answers(100_000)
        answers.keep(("a",), 1, answer_of(1_000))
        answers.keep(("b",), 1, answer_of(5_000))
        assert answers.find(("a",), 1) is not None
        assert answers.find(("b",), 1) is None

    def test_too_large_an_answer_takes_the_place_of_an_older_one_all_the_same(self) -> None:
        answers = Answers(100_000)
        answers.keep(("a",), 1, answer_of(1_000))
        answers.keep(("a",), 2, answer_of(5_000))
        assert answers.find(("a",), 1) is None
        assert answers.find(("a",), 2) is None

    def test_other_version_is_not_found(self) -> None:
        answers = Answers(100_000)
        answers.keep(("a",), 1, answer_of(10))
        assert answers.find(("a",), 2) is None
        assert answers.find(("a", ""), 1) is None

    def test_question_counts_as_much_as_its_answer(self) -> None:
        """Who asks decides how long that is: nobody shall fill the memory with long headers and short answers."""
        answers = Answers(1_000_000)
        for number in range(200):
            answers.keep((f"{number}", b"x" * 40_000), 1, answer_of(10))
        assert len(answers._known) < 25
        answers.keep(("long", b"x" * 60_000), 1, answer_of(10))
        assert answers.find(("long", b"x" * 60_000), 1) is None

    @settings(deadline=None)
    @given(
        st.lists(
            st.tuples(st.sampled_from("abcdefgh"), st.integers(0, 6_000), st.integers(0, 3_000), st.integers(1, 2)),
            max_size=60,
        )
    )
    def test_what_is_kept_never_takes_more_than_there_is_room(self, written: list[tuple[str, int, int, int]]) -> None:
        answers, last = Answers(20_000), {}
        for word, size, headers, version in written:
            answer = answer_of(size, headers)
            answers.keep((word,), version, answer)
            last[word] = (version, answer)
            kept = {question[0]: one.answer for question, one in answers._known.items()}
            taken = sum(len(one.body) + sum(map(len, sum(one.headers, ()))) for one in kept.values())
            assert taken + sum(getsizeof(word) for word in kept) <= 20_000
            assert answers._bytes == sum(one.size for one in answers._known.values())
            for word, one in kept.items():
                assert answers.find((word,), last[word][0]) is one is last[word][1]
