"""Every refusal has its words in both languages, and whoever raises it gives them all that they tell of."""

import ast
from collections.abc import Iterator
from pathlib import Path
from string import Formatter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app import errors
from app.errors import ErrorCode, Fault, ServiceError
from app.lookups import _RESOURCES
from app.messages import DETAILS, RESOURCES, TITLES, Language, Sentence, fault_detail, preferred_language
from app.problems import _PYDANTIC_CODES

ERRORS = {error.__name__: error for error in ServiceError.__subclasses__()}
APP = Path(errors.__file__).parent
SOURCES = {path.relative_to(APP).as_posix(): ast.parse(path.read_text("utf-8")) for path in APP.glob("**/*.py")}
QUOTES_A_PLAN = ErrorCode.document_without_targets
ALWAYS_GIVEN = {"count"}  # by the sentence's own renderer
# how an error is raised that fills its sentence itself
OWN = {"MalformedJson": set(), "DocumentEmpty": set(), "DocumentUnreadable": {"reason"}}
FROM_PYDANTIC = {"reason", "pattern", "limit", "name", "expected"}  # what app.problems.fault_of gives


def placeholders(sentence: Sentence) -> set[str]:
    return {name for text in sentence for _, name, _, _ in Formatter().parse(text) if name is not None}


class TestSentences:
    def test_every_code_has_a_detail_and_every_refusal_a_title(self) -> None:
        assert set(DETAILS) == set(ErrorCode)
        assert set(TITLES) == {error.code for error in ERRORS.values()}
        assert len(TITLES) == len(ERRORS)
        assert set(RESOURCES) >= set(_RESOURCES.values())

    @pytest.mark.parametrize("texts", [TITLES, DETAILS, RESOURCES])
    def test_are_in_both_languages_with_the_same_placeholders(self, texts: dict[str, Sentence]) -> None:
        for name, sentence in texts.items():
            assert any("\u4e00" <= char <= "\u9fff" for char in sentence.zh), name
            assert name == QUOTES_A_PLAN or not any("\u4e00" <= char <= "\u9fff" for char in sentence.en), name
            zh, en = ({part[1] for part in Formatter().parse(text) if part[1]} for text in sentence)
            assert zh == en, name

    def test_placeholder_without_a_value_shows_as_it_is(self) -> None:
        assert fault_detail(Fault("/x", ErrorCode.too_long, {}), Language.en) == "Too long: at most {limit}."

    def test_resources_are_told_in_the_language_of_the_sentence(self) -> None:
        fault = Fault("/x", ErrorCode.unknown_reference, {"resource": "target", "code": "p.1"})
        assert fault_detail(fault, Language.zh) == "没有编码为 p.1 的目标任务。"
        assert fault_detail(fault, Language.en) == "There is no target with the code p.1."


def calls() -> Iterator[tuple[str, ast.AST, ast.Call]]:
    """Every call in the service, with its file and the function that it stands in."""
    for name, tree in SOURCES.items():
        for function in ast.walk(tree):
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                for node in ast.walk(function):
                    if isinstance(node, ast.Call):
                        yield f"{name}:{function.name}", function, node


def keys_of(node: ast.AST | None, function: ast.AST) -> set[str] | None:
    """The keys of a dictionary that is written there, or was given a name in the same function; None for neither."""
    if node is None:
        return set()
    if isinstance(node, ast.Name):
        assigned = (one for one in ast.walk(function) if isinstance(one, ast.Assign | ast.AnnAssign))
        named = [one.value for one in assigned if assigns(one, node.id)]
        return keys_of(named[0], function) if len(named) == 1 else None
    if isinstance(node, ast.Dict) and all(isinstance(key, ast.Constant) for key in node.keys):
        return {str(key.value) for key in node.keys if isinstance(key, ast.Constant)}
    return None


def assigns(node: ast.Assign | ast.AnnAssign, name: str) -> bool:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return any(isinstance(target, ast.Name) and target.id == name for target in targets)


def keywords_of(call: ast.Call, function: ast.AST) -> set[str]:
    found: set[str] = set()
    for keyword in call.keywords:
        found |= {keyword.arg} if keyword.arg is not None else keys_of(keyword.value, function) or set()
    return found


def code_named(call: ast.Call) -> ErrorCode | None:
    for argument in call.args:
        if isinstance(argument, ast.Attribute) and ast.unparse(argument.value) == "ErrorCode":
            return ErrorCode[argument.attr]
    return None


class TestWhereTheyAreRaised:
    def test_refusals_of_a_request_give_what_their_sentence_tells(self) -> None:
        raised = set()
        for place, function, call in calls():
            error = ERRORS.get(ast.unparse(call.func))
            if error is None:
                continue
            raised.add(error.__name__)
            given_ = keywords_of(call, function) | OWN.get(error.__name__, set()) | ALWAYS_GIVEN
            assert placeholders(DETAILS[error.code]) <= given_, place
        bare = {ast.unparse(node.exc) for tree in SOURCES.values() for node in ast.walk(tree) if is_bare_raise(node)}
        assert raised | bare >= set(ERRORS)
        for name in bare & set(ERRORS):
            assert placeholders(DETAILS[ERRORS[name].code]) <= OWN.get(name, set()) | ALWAYS_GIVEN, name

    def test_faults_of_a_field_give_what_their_sentence_tells(self) -> None:
        told = set()
        for place, function, call in calls():
            name, code = ast.unparse(call.func), code_named(call)
            if code is None or name not in ("Fault", "invalid", "MalformedJson"):
                continue
            told.add(code)
            parameters = call.args[2] if name == "Fault" and len(call.args) > 2 else None
            given_ = keys_of(parameters, function) if name == "Fault" else keywords_of(call, function)
            assert given_ is not None, place
            assert placeholders(DETAILS[code]) <= given_, (place, code)
        own = {code for code in ErrorCode if code not in TITLES} - told
        for code in own | set(_PYDANTIC_CODES.values()):
            assert placeholders(DETAILS[code]) <= FROM_PYDANTIC, code


def is_bare_raise(node: ast.AST) -> bool:
    """`raise BadCursor`, without a call."""
    return isinstance(node, ast.Raise) and isinstance(node.exc, ast.Name)


class TestPreferredLanguage:
    @pytest.mark.parametrize(
        ("header", "language"),
        [
            (None, "zh-CN"),
            ("", "zh-CN"),
            ("*", "zh-CN"),
            ("fr, de;q=0.5", "zh-CN"),
            ("zh", "zh-CN"),
            ("zh-Hans-CN, en;q=0.9", "zh-CN"),
            ("en, zh", "zh-CN"),
            ("en", "en"),
            ("EN-gb", "en"),
            ("en-US,en;q=0.9,zh;q=0.8", "en"),
            ("zh;q=0.3, en;q=0.31", "en"),
            ("zh;q=0.5, en;q=0.5", "zh-CN"),
            ("zh; q=0.2 , en ;q=0.4", "en"),
            ("en;q=0", "zh-CN"),
            ("zh;q=0, en;q=0.001", "en"),
            ("en;q=nan", "zh-CN"),
            ("en;q=2", "zh-CN"),
            ("en;q=", "zh-CN"),
            ("english", "zh-CN"),
            (",;,=;q=1", "zh-CN"),
        ],
    )
    def test_chinese_unless_english_weighs_more(self, header: str | None, language: str) -> None:
        assert preferred_language(header) == language

    @settings(deadline=None)
    @given(st.text(alphabet="zhen-;q=0.19, *é", max_size=30))
    def test_any_header_is_answered(self, header: str) -> None:
        assert preferred_language(header) in Language
