"""Names that Python 2, or libraries of its time, had, and what stands for them: paths as importlib takes them."""

from __future__ import annotations

from importlib import import_module
from pkgutil import resolve_name
from typing import Any

_HERE = __name__.rpartition(".")[0]

# Whole modules.
MODULES = {
    "BaseHTTPServer": "http.server",
    "ConfigParser": "configparser",
    "HTMLParser": "html.parser",
    "Queue": "queue",
    "SimpleHTTPServer": "http.server",
    "SocketServer": "socketserver",
    "StringIO": f"{_HERE}.old_modules:StringIOs",
    "Tkinter": "tkinter",
    "__builtin__": "builtins",
    "cPickle": f"{_HERE}.old_modules:Pickles",
    "cStringIO": f"{_HERE}.old_modules:StringIOs",
    "commands": "subprocess",
    "cookielib": "http.cookiejar",
    "copy_reg": "copyreg",
    "cv2.cv": f"{_HERE}.images:OldConstants",
    "exceptions": "builtins",
    "httplib": "http.client",
    "md5": "hashlib",
    "pickle": f"{_HERE}.old_modules:Pickles",
    "scipy.misc": f"{_HERE}.images:ScipyMisc",
    "sets": f"{_HERE}.old_modules:Sets",
    "thread": "_thread",
    "urllib": f"{_HERE}.old_modules:Urls",
    "urllib2": f"{_HERE}.old_modules:Urls",
    "urlparse": "urllib.parse",
    "xmlrpclib": "xmlrpc.client",
}

_NUMPY = {
    **dict.fromkeys(("int", "long"), "builtins:int"),
    **dict.fromkeys(("float", "bool", "complex", "object"), ""),
    **dict.fromkeys(("str", "unicode"), "builtins:str"),
    "float_": "numpy:float64",
    "complex_": "numpy:complex128",
    "unicode_": "numpy:str_",
    "string_": "numpy:bytes_",
    **dict.fromkeys(("Inf", "Infinity", "infty", "PINF"), "numpy:inf"),
    "NaN": "numpy:nan",
    "NAN": "numpy:nan",
    "alltrue": "numpy:all",
    "sometrue": "numpy:any",
    "product": "numpy:prod",
    "cumproduct": "numpy:cumprod",
    "row_stack": "numpy:vstack",
    "asscalar": f"{_HERE}.arrays:asscalar",
    "fromstring": f"{_HERE}.arrays:fromstring",
    "load": f"{_HERE}.arrays:load",
    "loadtxt": f"{_HERE}.arrays:loadtxt",
    "rank": "numpy:ndim",
    "set_printoptions": f"{_HERE}.arrays:set_printoptions",
}
_ITERATORS = {"izip": "builtins:zip", "imap": "builtins:map", "ifilter": "builtins:filter"}
_CLASSES_OF_COLLECTIONS = (
    "Callable", "Container", "Hashable", "ItemsView", "Iterable", "Iterator", "KeysView", "Mapping", "MappingView",
    "MutableMapping", "MutableSequence", "MutableSet", "Sequence", "Set", "Sized", "ValuesView",
)  # fmt: skip
_TYPES = {"Boolean": "bool", "Dict": "dict", "Float": "float", "Int": "int", "List": "list", "Long": "int",
          "String": "str", "Tuple": "tuple", "Type": "type", "Unicode": "str"}  # fmt: skip

# Parts of modules that are still there.
GONE = {
    **{f"numpy.{name}": target or f"builtins:{name}" for name, target in _NUMPY.items()},
    **{f"itertools.{name}": target for name, target in _ITERATORS.items()},
    "itertools.izip_longest": "itertools:zip_longest",
    "itertools.ifilterfalse": "itertools:filterfalse",
    **{f"collections.{name}": f"collections.abc:{name}" for name in _CLASSES_OF_COLLECTIONS},
    **{f"types.{name}Type": f"builtins:{target}" for name, target in _TYPES.items()},
    "types.StringTypes": f"{_HERE}.old_builtins:STRINGS",
    "types.NoneType": f"{_HERE}.old_builtins:NONE",
    "csv.reader": f"{_HERE}.old_modules:csv_reader",
    "inspect.getargspec": "inspect:getfullargspec",
    "os.getcwdu": "os:getcwd",
    "string.letters": "string:ascii_letters",
    "string.lowercase": "string:ascii_lowercase",
    "string.uppercase": "string:ascii_uppercase",
    "string.maketrans": "builtins:str.maketrans",
    **{f"string.{name}": f"builtins:str.{name}" for name in ("lower", "upper", "replace", "split", "strip", "find")},
    "string.join": f"{_HERE}.old_builtins:join",
    **{f"string.ato{short}": f"builtins:{kind}" for short, kind in (("i", "int"), ("f", "float"), ("l", "int"))},
    "string.zfill": "builtins:str.zfill",
    "subprocess.check_output": f"{_HERE}.old_modules:check_output",
    "sys.maxint": "sys:maxsize",
    "sys.setdefaultencoding": f"{_HERE}.old_builtins:nothing",
    **{f"tempfile.{kind}": f"{_HERE}.old_modules:{kind}" for kind in (
        "NamedTemporaryFile", "SpooledTemporaryFile", "TemporaryFile")},
    "time.clock": "time:perf_counter",
    "yaml.load": f"{_HERE}.old_modules:yaml_load",
    **{f"cv2.CV_{name}": f"cv2:{new}" for name, new in (
        ("AA", "LINE_AA"), ("LOAD_IMAGE_COLOR", "IMREAD_COLOR"), ("LOAD_IMAGE_GRAYSCALE", "IMREAD_GRAYSCALE"),
        ("LOAD_IMAGE_UNCHANGED", "IMREAD_UNCHANGED"), ("FILLED", "FILLED"))},
    "skimage.io.imread": f"{_HERE}.images:sk_imread",
    "skimage.transform.resize": f"{_HERE}.images:sk_resize",
    "skimage.transform.rescale": f"{_HERE}.images:sk_rescale",
}  # fmt: skip


def module(name: str) -> Any:
    """What stands for a module that is gone."""
    target = MODULES[name]
    return resolve_name(target) if ":" in target else import_module(target)


def gone(name: str) -> Any:
    """What stands for a part of a module that is gone."""
    return resolve_name(GONE[name])
