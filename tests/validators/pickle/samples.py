#!/usr/bin/env python3
"""Writes samples.json beside it: what real libraries pickle (deflated, in base64), for tests on machines that do not have them.

    python3 tests/validators/pickle/samples.py    # with pandas, statsmodels, imbalanced-learn, scikit-learn, torch
"""

import base64, datetime, decimal, io, json, pathlib, pickle, types, uuid, warnings, zlib, zoneinfo
import imblearn, numpy as np, pandas as pd, scipy.interpolate, scipy.special, scipy.stats, sklearn, statsmodels, torch
import statsmodels.api as sm
import statsmodels.formula.api as smf
from imblearn.over_sampling import SMOTE
from imblearn.pipeline import make_pipeline
from statsmodels.tsa.ar_model import AutoReg
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.feature_selection import SelectKBest, chi2, f_classif
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import auc, euclidean_distances, make_scorer, matthews_corrcoef, roc_curve
from sklearn.model_selection import RandomizedSearchCV
from sklearn.preprocessing import FunctionTransformer, StandardScaler

warnings.simplefilter("ignore")
random = np.random.RandomState(0)
x = random.rand(12, 2)
y = x @ [1, 2] + random.rand(12)
half = (y > np.median(y)).astype(int)
records = np.rec.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")])
table = pd.DataFrame({"a": [1, 2], "b": ["x", "y"], "c": [0.5, None]}, index=["r", "s"])
days = pd.date_range("2020", periods=12)
days.freqstr, days.resolution, days.is_monotonic_increasing, days.is_unique
column = pd.Series([1, 2], name=("a", "b"))
column.attrs = {"from": "x", "sizes": (1, [2, {"a": 3}])}

PASS = {
    "datetime": datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone.utc),
    "date": [datetime.date(2020, 1, 1), datetime.time(1, 2), datetime.timedelta(1, 2, 3)],
    "timezone": [datetime.timezone(datetime.timedelta(hours=1), "x"), zoneinfo.ZoneInfo("Europe/Berlin")],
    "Decimal": decimal.Decimal("1.50"),
    "UUID": uuid.UUID(int=77),
    "Path": [pathlib.PurePosixPath("a/b"), pathlib.PureWindowsPath("c:/a"), pathlib.Path("m.onnx")],
    "namespace": types.SimpleNamespace(a=1, b=[2]),
    "record array": [records, records[0]],
    "polynomials": [np.poly1d([1, 2]), np.polynomial.Polynomial([1, 2])],
    "ufuncs": [np.log1p, np.add, np.arctan2, scipy.special.expit, scipy.special.gammaln, np.mean, np.nanmedian],
    "DataFrame": table,
    "Series": [table["a"], pd.Series(["u", "v", "u"], dtype="category"), pd.Series([1, None], dtype="Int64")],
    "Timestamp": [pd.Timestamp("2020", tz="UTC"), pd.Timestamp("2021"), pd.Timedelta(5), pd.NaT, pd.NA, pd.Interval(0, 1)],
    "Index": [
        pd.Index(["a", "b"]), pd.RangeIndex(3), pd.MultiIndex.from_tuples([(1, "a")]), pd.Index([1.5]), pd.interval_range(0, 2),
        pd.date_range("2020", periods=3, tz="Europe/Berlin"), pd.period_range("2020", periods=2, freq="M"),
    ],
    "arrays": [pd.array(["a"], dtype="string"), pd.array([True, None]), pd.array([1.5, None], dtype="Float64"), pd.offsets.MonthEnd()],
    "frozen distributions": [scipy.stats.norm(0, 1), scipy.stats.loguniform(1, 2), scipy.stats.uniform(0, 1), scipy.stats.gamma(2)],
    "discrete distributions": [scipy.stats.randint(1, 9), scipy.stats.poisson(2)],
    "distributions": [scipy.stats.norm, scipy.stats.multivariate_normal([0, 0]), scipy.stats.gaussian_kde([1, 2, 3.0])],
    "distributions with short templates": [scipy.stats.geom(0.5), scipy.stats.zipf(2), scipy.stats.dirichlet([1, 2])],
    "dates that were computed with": [days, pd.Series(pd.period_range("2020", periods=2, freq="M"))],
    "business days": pd.date_range("2020", periods=3, freq="B"),
    "column of intervals": pd.Series(pd.interval_range(0, 2)),
    "column with attributes": column,
    "functions of numpy": [np.median, np.linalg.norm, FunctionTransformer(np.nan_to_num)],
    "radial basis function": scipy.interpolate.Rbf(x[:, 0], x[:, 1], y),
    "interpolators": [
        scipy.interpolate.interp1d([1, 2, 3], [1, 2, 3]), scipy.interpolate.interp1d([1, 2, 3], [1, 2, 3], kind="nearest"),
        scipy.interpolate.CubicSpline([1, 2, 3], [1, 2, 3]), scipy.interpolate.UnivariateSpline(range(5), range(5)),
        scipy.interpolate.RegularGridInterpolator(([1, 2], [1, 2]), np.eye(2)), scipy.interpolate.PchipInterpolator([1, 2], [1, 2]),
        scipy.interpolate.RBFInterpolator(x, y), scipy.interpolate.LinearNDInterpolator(x, y),
    ],
    "scores": [SelectKBest(f_classif, k=1).fit(x, half), SelectKBest(chi2, k=1), make_scorer(matthews_corrcoef), auc, roc_curve, euclidean_distances],
    "column selector": make_column_transformer((StandardScaler(), make_column_selector(dtype_include="number"))).fit(table[["a"]]),
    "functions": [FunctionTransformer(np.log1p, np.expm1), FunctionTransformer(scipy.special.expit)],
    "random search": RandomizedSearchCV(
        Ridge(), {"alpha": scipy.stats.loguniform(0.1, 1), "max_iter": scipy.stats.randint(1, 99)}, n_iter=2, cv=2,
    ).fit(x, y),
    "imbalanced-learn": make_pipeline(SMOTE(k_neighbors=2), LogisticRegression()).fit(x, half),
    "OLS": sm.OLS(y, sm.add_constant(x)).fit(),
    "OLS of pandas": sm.OLS(pd.Series(y), pd.DataFrame(x, columns=list("ab"))).fit(),
    "GLM": sm.GLM(half, x, family=sm.families.Binomial()).fit(),
    "AutoReg": AutoReg(pd.Series(y, index=days), 1).fit(),
    "Logit": sm.Logit(half, x).fit(disp=0),
}
FAIL = {"formula": smf.ols("y~a", pd.DataFrame({"y": y, "a": x[:, 0]})).fit()}


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU(), torch.nn.Linear(3, 1))
        self.names: list[str] = ["a"]
        self.sizes = [1, 2]
        self.steps: dict[str, int] = {"a": 1}

    def forward(self, x):
        return self.layers(x)


def scripts():
    made = {}
    for name, module in {
        "scripted": torch.jit.script(Net()),
        "traced": torch.jit.trace(Net(), torch.zeros(1, 2)),
        "quantized": torch.jit.script(torch.quantization.quantize_dynamic(Net(), {torch.nn.Linear})),
    }.items():
        buffer = io.BytesIO()
        torch.jit.save(module, buffer)
        made[name] = encoded(buffer.getvalue())
    return made


def encoded(data):
    return base64.b64encode(zlib.compress(data, 9)).decode()


def samples(values):
    made = {}
    for name, value in values.items():
        for protocol in (0, 2, 4):
            try:
                data = pickle.dumps(value, protocol)
            except TypeError:  # Classes with slots are not for protocol 0.
                continue
            # scipy's documentation of each distribution is most of it.
            if protocol > 0 or len(data) < 12000:
                made[f"{name}, protocol {protocol}"] = encoded(data)
    return made


libraries = {library.__name__: library.__version__ for library in (imblearn, np, pd, scipy, sklearn, statsmodels, torch)}
path = pathlib.Path(__file__).with_suffix(".json")
path.write_text(json.dumps({"libraries": libraries, "pass": samples(PASS), "fail": samples(FAIL), "torchscript": scripts()}, indent=2) + "\n")
