"""Programs of Python 2 print what Python 2 prints."""

from __future__ import annotations

import io
import sys
import textwrap
from contextlib import redirect_stdout
from pathlib import Path

import numpy as np
import pytest

from brew.caffe.python2.compiling import code_of, compiled
from brew.caffe.python2.gone import GONE, MODULES, gone, module
from brew.caffe.python2.old_builtins import BUILTINS
from brew.caffe.python2.running import python2
from brew.caffe.python2.syntax import rewrite


def output(program: str) -> str:
    """What a program prints."""
    with redirect_stdout(io.StringIO()) as out:
        exec(compiled(textwrap.dedent(program)), {"__builtins__": python2(), "__name__": "test"})
    return out.getvalue()


PROGRAMS = {
    # print
    "print": "\n",
    'print "a", 1, u"b"': "a 1 b\n",
    'print "a",; print "b"; print': "a b\n\n",
    'print "a\\n",; print "b"': "a\nb\n",
    "print (1, 2)": "(1, 2)\n",
    "print(1)": "1\n",
    'print ("a"), ("b")': "a b\n",
    'print "%d %s" % (1, "x"), [i for i in (1, 2)]': "1 x [1, 2]\n",
    'import sys\nprint >>sys.stdout, "a", 2\nprint >>sys.stdout': "a 2\n\n",
    'if 1: print "a"; print "b"\nelse: print "c"': "a\nb\n",
    'from __future__ import print_function\nprint("a", "b", sep="-")': "a-b\n",
    'f = lambda: 5; print f()': "5\n",
    'd = {1: lambda x: x}; print d[1](3)': "3\n",
    'print """a\nb""", \\\n  "c"': "a\nb c\n",
    'print "a" # and no more': "a\n",
    'print b"bytes"': "bytes\n",
    "import numpy as np\nprint 0.1 + 0.2, 1e3, str(2 / 3.), [0.1], -4., 1e20, 1e-7, np.float64(1) / 3, float('inf')": "0.3 1000.0 0.666666666667 [0.1] -4.0 1e+20 1e-07 0.333333333333 inf\n",
    # division
    "print 7 / 2, -7 / 2, 7 / 2., True / 2, 7 // 2, 7L / 2": "3 -4 3.5 0 3 3\n",
    "x = 7; x /= 2; print x": "3\n",
    "x = 7.; x /= 2; print x": "3.5\n",
    "from __future__ import division\nprint 7 / 2": "3.5\n",
    "import numpy as np\nprint np.arange(4) / 2, np.arange(4) / 2., np.int64(5) / 2": "[0 0 1 1] [0.  0.5 1.  1.5] 2\n",
    "import numpy as np\na = b = np.array([5, 7]); a /= 2; print b": "[2 3]\n",
    "import numpy as np\na = b = np.array([5., 7.]); a /= 2; print b": "[2.5 3.5]\n",
    "import numpy as np\na = np.float32(5); a /= 2; print a": "2.5\n",
    "x = [6]; x[0] /= 4; print x": "[1]\n",
    "print [0, 1, 2, 3][1.0:3.9]": "[1, 2]\n",
    # more values than elements
    "import numpy as np\na = np.zeros(4, int); a[np.array([0, 2])] = np.array([5, 6, 7]); print a": "[5 0 6 0]\n",
    "import numpy as np\na = np.zeros(4, int); a[np.array([0, 2])] = 3; a[1] = 4; i = 3; a[i] = 5; print a": "[3 4 3 5]\n",
    "import numpy as np\na = np.zeros(2, int)\ntry:\n    a[a == 0] = np.ones(3)\nexcept ValueError: print 'refused'": "refused\n",
    "d = {}; k = 'x'; d[k] = 1; l = [1, 2]; i = 0; l[i] = d; print l": "[{'x': 1}, 2]\n",
    # numbers that are arrays of one element
    "import numpy as np\na = np.array([2.5]); print int(a), float(a), '%d %.1f %%' % (a, a), '%g' % a, '%s' % a": "2 2.5 2 2.5 % 2.5 [2.5]\n",
    "print int('7'), '%d %s' % (1, [2]), '%(a)d' % {'a': 3}, '%d' % 4": "7 1 [2] 3 4\n",
    # files
    "import tempfile\nfor made in tempfile.TemporaryFile, tempfile.NamedTemporaryFile, tempfile.SpooledTemporaryFile:\n  f = made(); f.write(str(1)); f.write(b'2'); f.seek(0); print f.read(); f.close()": "12\n12\n12\n",
    "import tempfile\nf = tempfile.TemporaryFile('w+'); f.write('a'); f.seek(0); print f.read(); f.close()": "a\n",
    "import StringIO\nimport numpy as np\nprint '|'.join(np.loadtxt(StringIO.StringIO('a b\\nc\\n'), str, delimiter='\\n'))": "a b|c\n",
    # numbers
    "import numpy as np\nprint float(np.array([2.5])), int(np.array([[3]])), int('7'), int('f', 16), float(*[1])": "2.5 3 7 15 1.0\n",
    # format
    "print '{:>8}|{:<4}|{}|{x!r}'.format((1, 2), None, 0.1 + 0.2, x='a'), '{:.2f} {:>3}'.format(2 / 3., b'b')": "  (1, 2)|None|0.3|'a' 0.67   b\n",
    "class C:\n  def format(self, a): return a + 1\nprint C().format(1), 'a{0[0]}{{}}'.format([2])": "2 a2{}\n",
    "class C(object):\n  def __format__(self, s): return '<%s>' % s\nprint '{}{:a}'.format(C(), C())": "<><a>\n",
    # words
    "print 0777, 0xFFL, 10L, 0o17, 0, 00, 1e3, 1 <> 2, `3` + `\"a\"`": "511 255 10 15 0 0 1000.0 True 3'a'\n",
    'print len("\\u1234"), len(u"\\u1234"), "C:\\users", ur"\\d", len("\\\\u")': "6 1 C:\\users \\d 2\n",
    "async = 3; print async": "3\n",
    "if 1:\n\tx = 1\n        print x": "1\n",
    # dicts and lists
    "d = {1: 2}; print d.keys()[0], d.values() + [3], d.items()[0], d.has_key(1)": "1 [2, 3] (1, 2) True\n",
    "for k, v in {1: 2}.iteritems(): print k, v": "1 2\n",
    "print sorted({1: 2}.itervalues()), list({1: 2}.viewkeys())": "[2] [1]\n",
    "print map(None, [1, 2], [3]), map(str, (1, 2)), map(None, (1,))": "[(1, 3), (2, None)] ['1', '2'] [1]\n",
    "print filter(None, [0, 1]), filter(str.isdigit, 'a1'), filter(None, (0, 2)), zip('ab', 'cd')": "[1] 1 (2,) [('a', 'c'), ('b', 'd')]\n",
    "print range(3) + [1], list(xrange(2)), reduce(lambda a, b: a + b, range(4))": "[0, 1, 2, 1] [0, 1] 6\n",
    "print sorted([3, 1, 2], cmp=lambda a, b: cmp(b, a)), sorted('bA', key=str.lower)": "[3, 2, 1] ['A', 'b']\n",
    "a = [1, 3, 2]; a.sort(lambda x, y: y - x); print a; a.sort(); print a; a.sort(reverse=True, key=abs); print a": "[3, 2, 1]\n[1, 2, 3]\n[3, 2, 1]\n",
    # errors
    'try: raise ValueError, "a"\nexcept (KeyError, ValueError), e: print e.message\nprint e': "a\na\n",
    'try: raise ValueError, (1, 2)\nexcept ValueError, e: print e.args': "(1, 2)\n",
    'try: raise ValueError("x"), None\nexcept ValueError as e: print e': "x\n",
    'class E(Exception):\n  message = "own"\ntry: raise E\nexcept E, e: print e.message': "own\n",
    # functions and classes
    "def f(a, (b, (c, d)), e=(1, 2)): return a, b, c, d, e\nprint f(1, (2, (3, 4)))": "(1, 2, 3, 4, (1, 2))\n",
    "print sorted({'a': 2, 'b': 1}.items(), key=lambda (k, v): v)[0], (lambda (a, b), c=1: a + b + c)((2, 3))": "('b', 1) 6\n",
    "class C:\n  def __iter__(self): return iter([1])\n  def next(self): return 5\nprint C().next(), next(C()), iter([4]).next()": "5 5 4\n",
    "class C(object):\n  def __nonzero__(self): return False\nprint bool(C())": "False\n",
    "class C(object):\n  def __init__(self, x): self.x = x\n  def __cmp__(self, o): return cmp(self.x, o.x)\nprint C(1) < C(2), C(1) == C(1), max(C(1), C(3)).x": "True True 3\n",
    "class M(type):\n  def hi(cls): return 'hi'\nclass C(object):\n  __metaclass__ = M\nprint C.hi()": "hi\n",
    "class C(object):\n  def __div__(self, o): return 'div'\nprint C() / 2": "div\n",
    "def g(n):\n  'doc'\n  for i in range(9):\n    if i == n: raise StopIteration\n    yield i\nprint list(g(2)), g.func_name": "[0, 1] g\n",
    "def g(it):\n  while True: yield it.next() * 2\nprint list(g(iter([1, 2]))), list(g(iter([])))": "[2, 4] []\n",
    "def f():\n  g = (x for x in [1])\n  h = lambda: (yield)\n  raise StopIteration\ntry: f()\nexcept StopIteration: print 'as it was'": "as it was\n",
    # exec and eval
    'exec "x = 5 / 2"; print x': "2\n",
    'd = {}; exec "x = 1" in d; print d["x"]': "1\n",
    'd = {}; exec("x = 2", d); print d["x"]': "2\n",
    'print eval("7 / 2"), eval(" {1: 0777}")': "3 {1: 511}\n",
    "import sys; reload(sys); sys.setdefaultencoding('utf-8'); print 'ok'": "ok\n",
    # builtins
    "print isinstance(u'a', basestring), isinstance('a', unicode), isinstance(3, (int, long)), unichr(65), long('7')": "True True True A 7\n",
    "import numpy as np\nprint round(np.float32(2.5)), round(float('inf')), round(np.float32('nan'))": "3.0 inf nan\n",
    "print round(2.5), round(-2.5), round(0.125, 2), round(2.675, 2), apply(max, (1, 2)), intern('a')": "3.0 -3.0 0.13 2.67 2 a\n",
    "print 'ab'.decode('utf-8'), 'ff'.decode('hex') == '\\xff', 'a'.encode('hex'), str('x'.encode('utf-8'))": "ab True 61 x\n",
    # modules
    "import string, itertools, os, types, sys\nprint string.join(['a', 'b'], '-'), list(itertools.izip([1], [2])), types.ListType is list, sys.maxint > 1 << 40, string.letters[:2]": "a-b [(1, 2)] True True ab\n",
    "from itertools import izip, count\nfrom string import maketrans, digits\nprint list(izip('a', 'b')), 'x'.translate(maketrans('x', 'y')), digits": "[('a', 'b')] y 0123456789\n",
    "import cPickle as pickle\nprint pickle.loads(pickle.dumps({1: [2]}))": "{1: [2]}\n",
    "from cStringIO import StringIO\nf = StringIO(); print >>f, 'a'; f.seek(0); print repr(f.read()), StringIO('x\\ny').readlines()": "'a\\n' ['x\\n', 'y']\n",
    "import urllib, urllib2, urlparse\nprint urllib.quote('a b'), urllib.urlencode({'a': 1}), urllib2.URLError.__name__, urlparse.urlparse('http://x/y').path": "a%20b a=1 URLError /y\n",
    "import subprocess\nprint subprocess.check_output(['echo', 'a']).strip().split(' ')": "['a']\n",
    "import ConfigParser, Queue, StringIO\nprint Queue.Queue(1).empty(), ConfigParser.ConfigParser().sections()": "True []\n",
    "import yaml\nprint yaml.load(\"'feat_stride': 16\")": "{'feat_stride': 16}\n",
    "import numpy as np\nprint np.float(3), np.int(2.5), np.bool(1), np.zeros(2, np.float).dtype, np.object, np.Inf": "3.0 2 True float64 <class 'object'> inf\n",
    "import numpy\nfrom numpy import float, sum\nprint float('2'), numpy.product([2, 3]), numpy.fromstring('\\x01\\x02', numpy.uint8), numpy.fromstring('1 2', sep=' '), sum([1])": "2.0 6 [1 2] [1. 2.] 1\n",
    "import numpy as np\nprint np.zeros(1, np.uint8).tostring() == b'\\0'\nnp.set_printoptions(threshold='nan')": "True\n",
    "from collections import Mapping, OrderedDict\nprint isinstance({}, Mapping), OrderedDict([(1, 2)]).keys()": "True [1]\n",
}  # fmt: skip


@pytest.mark.parametrize("program", PROGRAMS, ids=[p.splitlines()[-1][:40] for p in PROGRAMS])
def test_prints_what_python_2_prints(program: str) -> None:
    before = np.get_printoptions()
    try:
        assert output(program) == PROGRAMS[program]
    finally:
        np.set_printoptions(threshold=before["threshold"])


def test_text_without_anything_old_stays_as_it_is() -> None:
    plain = "from __future__ import print_function\nx = {1: 'a'}  # note\nif x:\n    print(x[1:], end='')\n"
    assert rewrite(plain).text == plain
    assert not rewrite(plain).translated


def test_lines_stay_where_they_are(tmp_path: Path) -> None:
    path = tmp_path / "old.py"
    path.write_text('def f():\n    print """a\n    b""", \\\n      1\n\n\nraise KeyError, \\\n  "b"\n')
    code, _ = code_of(path)
    with pytest.raises(KeyError) as caught, redirect_stdout(io.StringIO()):
        exec(code, {"__builtins__": python2()})
    trace = caught.value.__traceback__
    assert trace is not None and trace.tb_next is not None
    assert (trace.tb_next.tb_frame.f_code.co_filename, trace.tb_next.tb_lineno) == (str(path), 7)


def test_what_is_no_python_at_all_says_its_line(tmp_path: Path) -> None:
    path = tmp_path / "odd.py"
    path.write_text('print "a"\nprint 1 +\n')
    with pytest.raises(SyntaxError) as caught:
        code_of(path)
    found = caught.value
    assert (found.filename, found.lineno, found.text) == (str(path), 2, "print 1 +")


def test_python_3_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "new.py"
    path.write_text('import sys\nprint("a", 7 / 2, file=sys.stdout)\n')
    code, translated = code_of(path)
    with redirect_stdout(io.StringIO()) as out:
        exec(code, {})
    assert (out.getvalue(), translated) == ("a 3.5\n", "")


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"# coding: latin-1\nx = '\xe9'\n", "\xe9"),
        ("x = '\xe9'\n".encode(), "\xe9"),
        (b"x = '\xe9'\r\n", "\xe9"),
        (b"\xef\xbb\xbfx = 'a'\r", "a"),
    ],
)
def test_encodings_and_ends_of_lines(data: bytes, text: str, tmp_path: Path) -> None:
    (tmp_path / "a.py").write_bytes(data)
    space: dict[str, object] = {}
    exec(code_of(tmp_path / "a.py")[0], space)
    assert space["x"] == text


def test_what_was_translated_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("import numpy as np\nprint 1\nprint np.float(xrange(3)[1])\n")
    assert code_of(tmp_path / "a.py")[1] == "print x 2, numpy.float, xrange"


LEFT_OPEN = pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")  # as old programs do


# --- files --------------------------------------------------------------------------------------------------------


@LEFT_OPEN
def test_files_of_text_and_others(tmp_path: Path) -> None:
    opened = BUILTINS["open"]
    (tmp_path / "a.txt").write_bytes("one\r\ntwo \xe9\n".encode())
    with opened(tmp_path / "a.txt") as file:
        assert file.readlines() == ["one\r\n", "two \xe9\n"]
    with opened(tmp_path / "a.txt", "rU") as file:
        assert file.readline() == "one\n"
    picture = b"\xff\xd8\xff\xe0\0\x10JFIF"
    (tmp_path / "a.jpg").write_bytes(picture)
    assert opened(str(tmp_path / "a.jpg")).read() == picture
    with opened(tmp_path / "b", "w") as file:
        file.write("text ")
        file.write(picture)
    assert (tmp_path / "b").read_bytes() == b"text " + picture
    with opened(tmp_path / "c", "wb") as file:
        file.write("text ")
        file.write(picture)
        np.save(file, np.arange(2))
    assert (tmp_path / "c").read_bytes().startswith(b"text " + picture + b"\x93NUMPY")
    with opened(tmp_path / "a.txt", "a") as file:
        file.write("more")
    assert (tmp_path / "a.txt").read_bytes().endswith(b"more")
    with pytest.raises(FileNotFoundError):
        opened(tmp_path / "none")


@LEFT_OPEN
def test_a_temporary_file_that_is_forgotten_is_written() -> None:
    printed = output("""
        import os, tempfile
        def name():
            f = tempfile.NamedTemporaryFile(delete=False)
            f.write('net')
            return f.name
        n = name()
        print os.path.getsize(n)
        os.remove(n)
    """)
    assert printed == "3\n"


@LEFT_OPEN
def test_comma_separated_values(tmp_path: Path) -> None:
    printed = output(f"""
        import csv
        w = csv.writer(open({str(tmp_path / "a.csv")!r}, 'wb')); w.writerow(['a', 1]); del w
        for row in csv.reader(open({str(tmp_path / "a.csv")!r}, 'rb')): print row
        for row in csv.reader(['x,y']): print row
    """)
    assert printed == "['a', '1']\n['x', 'y']\n"


@LEFT_OPEN
def test_a_long_file_whose_part_ends_within_a_character(tmp_path: Path) -> None:
    (tmp_path / "long.txt").write_bytes(b"x" + "\xe9".encode() * 40000)
    assert len(BUILTINS["open"](tmp_path / "long.txt").read()) == 40001


@LEFT_OPEN
def test_pickles_of_python_2(tmp_path: Path) -> None:
    """{'a': array([1, 2]), u'b': 'raw'} as Python 2 and NumPy of its time wrote it with protocol 2; text mode."""
    data = (
        b"\x80\x02}q\x01(U\x01aq\x02cnumpy.core.multiarray\n_reconstruct\nq\x03cnumpy\nndarray\nq\x04K\x00\x85U\x01b"
        b"\x87Rq\x05(K\x01K\x02\x85cnumpy\ndtype\nq\x06U\x02i8K\x00K\x01\x87Rq\x07(K\x03U\x01<NNNJ\xff\xff\xff\xff"
        b"J\xff\xff\xff\xffK\x00tb\x89U\x10\x01\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0tbX\x01\0\0\0bU\x03raw\xe9"[:-1]
        + b"u."
    )
    (tmp_path / "a.pkl").write_bytes(data)
    printed = output(f"""
        import cPickle, numpy as np
        d = cPickle.load(open({str(tmp_path / "a.pkl")!r}))
        print sorted(d.items())
        cPickle.dump(d, open({str(tmp_path / "b.pkl")!r}, 'w'), 2)
        print cPickle.load(open({str(tmp_path / "b.pkl")!r}, 'r'))['b']
        print np.load({str(tmp_path / "a.pkl")!r})['b']
    """)
    assert printed == "[('a', array([1, 2])), ('b', 'raw')]\nraw\nraw\n"


def test_images(tmp_path: Path) -> None:
    printed = output(f"""
        import numpy as np, scipy.misc
        from scipy.misc import imread, imsave
        a = np.arange(48).reshape(4, 4, 3).astype(np.uint8)
        imsave({str(tmp_path / "a.png")!r}, a)
        print (imread({str(tmp_path / "a.png")!r}) == a).all(), imread({str(tmp_path / "a.png")!r}, flatten=True).dtype
        print scipy.misc.imresize(a, 50).shape, scipy.misc.imresize(a, 2.0, 'nearest').shape
        print scipy.misc.imresize(np.array([[0., 1.], [1., 0.]]), (2, 2), 'nearest').tolist()
    """)
    assert printed == "True float32\n(2, 2, 3) (8, 8, 3)\n[[0, 255], [255, 0]]\n"


def test_constants_of_opencv_2(monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenCV is none of Brew's packages: a stand-in has its names."""
    cv2 = type(sys)("cv2")
    vars(cv2).update(COLOR_BGR2GRAY=6, CAP_PROP_FPS=5, LINE_AA=16, INTER_AREA=3, IMREAD_COLOR=1)
    monkeypatch.setitem(sys.modules, "cv2", cv2)
    printed = output("""
        import cv2
        import cv2.cv as cv
        print cv2.cv.CV_BGR2GRAY, cv.CV_CAP_PROP_FPS, cv2.CV_AA, cv.CV_INTER_AREA, cv2.CV_LOAD_IMAGE_COLOR
        try: cv.CV_NOTHING
        except AttributeError, e: print e
    """)
    assert printed.startswith("6 5 16 3 1\ncv2 has none of NOTHING, COLOR_NOTHING")


@pytest.mark.parametrize("name", [n for n in (*MODULES, *GONE) if n.partition(".")[0] not in ("cv2", "Tkinter")])
def test_what_stands_for_a_name_is_there(name: str) -> None:
    assert (module(name) if name in MODULES else gone(name)) is not None
