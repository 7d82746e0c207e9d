"""Rules every source file keeps: small, without module state, plugins' doors holding hooks only."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LIMIT = 400
PLUGINS = sorted((ROOT / "plugins").glob("gateway_*/__init__.py"))
MUTABLE_CALLS = {"list", "dict", "set", "bytearray", "defaultdict", "deque", "Counter", "OrderedDict", "ContextVar"}


def sources(*folders: str) -> list[Path]:
    return sorted(file for folder in folders for file in (ROOT / folder).rglob("*.py"))


def shown(file: Path) -> str:
    return str(file.relative_to(ROOT))


OURS = sources("gateway", "plugins", "alembic")


@pytest.mark.parametrize("file", [*OURS, *sources("tests", "examples")], ids=shown)
def test_no_file_is_longer_than_400_lines(file: Path) -> None:
    assert len(file.read_text("utf-8").splitlines()) <= LIMIT


def test_no_function_says_global() -> None:
    found = [
        f"{shown(file)}:{node.lineno}"
        for file in OURS
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.Global)
    ]
    assert found == []


def module_state(source: str) -> Iterator[str]:
    """Names at module level bound to something that code could change in place.

    A constant table may be written as a literal (`_TABLE = {...}`) when nothing in its module changes it.
    """
    tree = ast.parse(source)
    for node in tree.body:
        if not isinstance(node, ast.Assign | ast.AnnAssign) or node.value is None:
            continue
        for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
            if not isinstance(target, ast.Name):
                continue
            if is_state(node.value) or (is_container(node.value) and changed(tree, target.id)):
                yield target.id


def is_container(value: ast.expr) -> bool:
    return isinstance(value, ast.List | ast.Dict | ast.Set | ast.ListComp | ast.DictComp | ast.SetComp)


def is_state(value: ast.expr) -> bool:
    """An empty container, which only makes sense to be filled, or a type that is there to be changed."""
    if is_container(value):
        return not any(child for child in ast.iter_child_nodes(value) if not isinstance(child, ast.expr_context))
    if not isinstance(value, ast.Call):
        return False
    name = value.func.attr if isinstance(value.func, ast.Attribute) else getattr(value.func, "id", "")
    return name in MUTABLE_CALLS


CHANGERS = {"append", "add", "update", "pop", "clear", "extend", "insert", "remove", "setdefault", "discard", "popitem"}


def changed(tree: ast.Module, name: str) -> bool:
    """Whether anything in the module changes the container of that name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in CHANGERS and is_name(node.value, name):
            return True
        if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store | ast.Del) and is_name(node.value, name):
            return True
        if isinstance(node, ast.AugAssign) and is_name(node.target, name):
            return True
    return False


def is_name(node: ast.expr, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def test_no_module_holds_state() -> None:
    found = [f"{shown(file)}: {name}" for file in OURS for name in module_state(file.read_text("utf-8"))]
    assert found == []


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("cache = {}", ["cache"]),
        ("seen: list[str] = []", ["seen"]),
        ("queue = collections.deque(maxlen=3)", ["queue"]),
        ("table = {1: 2}\ndef f(): table[3] = 4", ["table"]),
        ("table = [1]\ndef f(): table.append(2)", ["table"]),
        ("_TABLE = {1: 2}\ndef f(): return _TABLE[1]", []),
        ("NAMES = ('a', 'b')", []),
    ],
)
def test_the_test_for_state_finds_it(source: str, names: list[str]) -> None:
    assert list(module_state(source)) == names


@pytest.mark.parametrize("file", PLUGINS, ids=shown)
def test_a_default_plugins_door_holds_hooks_and_nothing_else(file: Path) -> None:
    allowed = ast.Import | ast.ImportFrom | ast.If  # `if TYPE_CHECKING:` holds imports
    for position, node in enumerate(ast.parse(file.read_text("utf-8")).body):
        if position == 0 and isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            continue  # the docstring
        if isinstance(node, ast.FunctionDef):
            marks = [mark.func if isinstance(mark, ast.Call) else mark for mark in node.decorator_list]
            assert any(is_name(mark, "hookimpl") for mark in marks), f"{node.name} is no hook"
            continue
        if isinstance(node, ast.Assign):
            assert all(is_name(target, "__all__") for target in node.targets), ast.unparse(node)
            continue
        assert isinstance(node, allowed), ast.unparse(node)


@pytest.mark.parametrize("file", PLUGINS, ids=shown)
def test_every_default_plugin_is_typed_and_installed_under_its_name(file: Path) -> None:
    import tomllib

    points = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]["litestar_gateway.plugins"]
    package = file.parent.name
    assert (file.parent / "py.typed").exists()
    assert points[package.removeprefix("gateway_")] == package


def test_alembics_folder_is_no_package() -> None:
    """An `__init__.py` there would hide the library of that name."""
    assert list((ROOT / "alembic").rglob("__init__.py")) == []


def test_no_module_has_a_name_that_says_nothing() -> None:
    empty = {"utils", "util", "helpers", "helper", "common", "misc"}
    assert [shown(file) for file in OURS if file.stem in empty or file.parent.name in empty] == []
