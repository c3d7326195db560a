/**
 * The top-level modules of Python 3.8 to 3.14 (`sys.stdlib_module_names`, and the few that it omits), of the installers in
 * every environment, and of common libraries for models.
 */
const ROOTS = new Set(
  ("__future__ __hello__ __main__ __phello__ _abc _aix_support _ast _asyncio _bisect _blake2 _bootsubprocess _bz2 _codecs " +
    "_collections _collections_abc _compat_pickle _compression _contextvars _crypt _csv _ctypes _curses _datetime _dbm " +
    "_decimal _elementtree _functools _gdbm _hashlib _heapq _imp _io _json _locale _lsprof _lzma _markupbase _md5 _msi " +
    "_multibytecodec _multiprocessing _opcode _operator _osx_support _overlapped _pickle _posixshmem _posixsubprocess " +
    "_py_abc _pydecimal _pyio _pyrepl _queue _random _scproxy _signal _sitebuiltins _socket _sqlite3 _sre _ssl _stat " +
    "_statistics _string _strptime _struct _symtable _thread _threading_local _tkinter _tokenize _tracemalloc _typing _uuid " +
    "_warnings _weakref _weakrefset _winapi _zoneinfo abc aifc annotationlib antigravity argparse array ast asynchat " +
    "asyncio asyncore atexit audioop base64 bdb binascii binhex bisect builtins bz2 cProfile calendar cgi cgitb chunk " +
    "cmath cmd code codecs codeop collections colorsys compileall compression concurrent configparser contextlib " +
    "contextvars copy copyreg crypt csv ctypes curses dataclasses datetime dbm decimal difflib dis distutils doctest " +
    "dummy_threading email encodings ensurepip enum errno faulthandler fcntl filecmp fileinput fnmatch formatter fractions " +
    "ftplib functools gc genericpath getopt getpass gettext glob graphlib grp gzip hashlib heapq hmac html http idlelib " +
    "imaplib imghdr imp importlib inspect io ipaddress itertools json keyword lib2to3 linecache locale logging lzma " +
    "macpath mailbox mailcap marshal math mimetypes mmap modulefinder msilib msvcrt multiprocessing netrc nis nntplib nt " +
    "ntpath nturl2path numbers opcode operator optparse os ossaudiodev parser pathlib pdb pickle pickletools pipes pkgutil " +
    "platform plistlib poplib posix posixpath pprint profile pstats pty pwd py_compile pyclbr pydoc pydoc_data pyexpat " +
    "queue quopri random re readline reprlib resource rlcompleter runpy sched secrets select selectors shelve shlex shutil " +
    "signal site sitecustomize smtpd smtplib sndhdr socket socketserver spwd sqlite3 sre_compile sre_constants sre_parse " +
    "ssl stat statistics string stringprep struct subprocess sunau symbol symtable sys sysconfig syslog tabnanny tarfile " +
    "telnetlib tempfile termios test textwrap this threading time timeit tkinter token tokenize tomllib trace traceback " +
    "tracemalloc tty turtle turtledemo types typing unicodedata unittest urllib usercustomize uu uuid venv warnings wave " +
    "weakref webbrowser winreg winsound wsgiref xdrlib xml xmlrpc xxsubtype zipapp zipfile zipimport zlib zoneinfo " +
    "_distutils_hack pip pkg_resources setuptools wheel " +
    "__builtin__ cPickle commands copy_reg popen2 urllib2 " +
    "catboost cloudpickle cv2 dill faiss gensim gym gymnasium h5py huggingface_hub joblib keras lightgbm matplotlib nltk " +
    "numpy onnx onnxruntime pandas PIL polars requests safetensors scipy seaborn six sklearn spacy stable_baselines3 " +
    "statsmodels tensorflow torch torchaudio torchvision transformers xgboost yaml").split(" "),
);

/**
 * Modules whose names become words or column names with the opcode of an import, `c` or `i`, before them: cast, cnt, cos,
 * cstring, ctime, ios. Importing them only runs definitions.
 */
const WORDS = new Set(
  ("array ast code copy enum html io json locale math nt os queue random re select stat string struct test time token " +
    "types xml").split(" "),
);

/** Whether a text names an existing module that no list of words begins with. */
export function isKnownModule(module: string): boolean {
  return ROOTS.has(module.split(".", 1)[0] ?? "") && !isWord(module);
}

/** Whether a word may consist of the opcode of an import and this module's name. */
export function isWord(module: string): boolean {
  return WORDS.has(module);
}
