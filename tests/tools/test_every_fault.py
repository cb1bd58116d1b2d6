"""The list of faults this project was planned with: every number from 1 to 28 has tests, by the numbers in their names.

29 and 30 are of the hub and the server.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from pathlib import Path

HERE = Path(__file__).parent
TESTS = HERE.parent

# Tests elsewhere that belong to a fault as well: (file, function).
ALSO = {
    1: ("prototxt/test_document.py", "test_a_mistake_has_its_place_and_advice"),
    4: ("prototxt/test_document.py", "test_byte_order_mark_and_crlf"),
    10: ("layers/test_pooling.py", "test_a_window_outside_the_input_is_warned_of_once"),
    15: ("net/test_weights_report.py", "test_layers_that_do_not_fit_can_be_left"),
    16: ("net/test_weights_report.py", "test_not_finite_is_one_warning_for_a_layer"),
    17: ("files/test_caffemodel.py", "test_beyond_two_gigabytes"),
    20: ("data/test_leveldb_source.py", "test_damaged"),
    21: ("checks/test_records.py", "test_every_bad_record_of_a_database"),
    24: ("solver/test_divergence.py", "test_the_first_bad_layer_is_named"),
    27: ("tools/test_train.py", "test_a_signal_stops_with_a_snapshot"),
    28: ("cuda/test_memory.py", "test_no_room_on_the_device"),
}


def numbered() -> dict[int, list[str]]:
    """The cases and tests of this folder whose names begin with a fault's number."""
    found = defaultdict(list)
    for path in sorted(HERE.glob("test_bad_*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            names: list[object] = []
            if isinstance(node, ast.Dict):
                names = [key.value for key in node.keys if isinstance(key, ast.Constant)]
            elif isinstance(node, ast.FunctionDef):
                names = [node.name.removeprefix("test_")]
            for name in names:
                if match := re.match(r"(\d+)[ _]", str(name)):
                    found[int(match[1])].append(f"{path.name}: {name}")
    return found


def test_every_fault_has_a_test() -> None:
    found = numbered()
    assert sorted(found) == list(range(1, 29))
    assert sum(map(len, found.values())) > 100


def test_those_elsewhere_are_there() -> None:
    for path, name in ALSO.values():
        assert f"def {name}(" in (TESTS / path).read_text(), f"{path}: {name}"
