//! An extension made with PyO3: functions, classes, inheritance, conversions, exceptions, panics, threads, buffers.

use pyo3::exceptions::{PyKeyError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyString, PyTuple, PyType};
use std::collections::{BTreeMap, HashMap, HashSet};

pyo3::create_exception!(ct_rust, RustError, pyo3::exceptions::PyException, "Something went wrong in Rust.");

#[pyfunction]
#[pyo3(signature = (a, b=10, *args, c=None, **kwargs))]
fn signature<'py>(
    py: Python<'py>,
    a: i64,
    b: i64,
    args: &Bound<'py, PyTuple>,
    c: Option<String>,
    kwargs: Option<&Bound<'py, PyDict>>,
) -> PyResult<Bound<'py, PyTuple>> {
    (a, b, args, c, kwargs).into_pyobject(py)
}

#[pyfunction]
fn convert(
    numbers: Vec<f64>,
    words: HashMap<String, Vec<u8>>,
    set: HashSet<i32>,
    pair: (bool, char),
    big: u128,
) -> (f64, BTreeMap<String, usize>, usize, (bool, char), u128) {
    (numbers.iter().sum(), words.into_iter().map(|(k, v)| (k, v.len())).collect(), set.len(), pair, big + 1)
}

#[pyfunction]
fn fail(how: &str) -> PyResult<()> {
    match how {
        "value" => Err(PyValueError::new_err("a value")),
        "key" => Err(PyKeyError::new_err(("a", 1))),
        "own" => Err(RustError::new_err("own")),
        "io" => Err(std::fs::File::open("/nonexistent/file").map(|_| ()).unwrap_err().into()),
        "panic" => panic!("a panic with {}", 42),
        _ => Ok(()),
    }
}

#[pyfunction]
fn call(py: Python<'_>, f: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
    let kwargs = PyDict::new(py);
    kwargs.set_item("k", 3)?;
    let r = f.call((1, "two"), Some(&kwargs))?;
    let m = r.call_method1("__getitem__", (0,))?;
    Ok((r.unbind(), m.unbind()).into_pyobject(py)?.into_any().unbind())
}

#[pyfunction]
fn call_and_catch(py: Python<'_>, f: &Bound<'_, PyAny>) -> PyResult<String> {
    match f.call0() {
        Ok(v) => Ok(format!("returned {}", v.repr()?)),
        Err(e) if e.is_instance_of::<PyKeyError>(py) => Ok(format!("key error {}", e.value(py))),
        Err(e) => Err(e),
    }
}

#[pyfunction]
fn iterate(it: &Bound<'_, PyAny>) -> PyResult<Vec<i64>> {
    it.try_iter()?.map(|x| x?.extract()).collect()
}

#[pyfunction]
fn build<'py>(py: Python<'py>, n: usize) -> PyResult<(Bound<'py, PyList>, Bound<'py, PyDict>, Bound<'py, PyBytes>, Bound<'py, PyString>)> {
    let list = PyList::new(py, (0..n).map(|i| i * i))?;
    let dict = PyDict::new(py);
    for (i, item) in list.iter().enumerate() {
        dict.set_item(item, format!("{i}"))?;
    }
    list.append("end")?;
    let bytes = PyBytes::new_with(py, n, |b| {
        b.fill(7);
        Ok(())
    })?;
    Ok((list, dict, bytes, PyString::intern(py, "interned")))
}

/// Works in other threads without the GIL and takes it for calls.
#[pyfunction]
fn threads(py: Python<'_>, f: Py<PyAny>, count: usize) -> PyResult<usize> {
    py.detach(|| {
        let handles: Vec<_> = (0..count)
            .map(|i| {
                let f = Python::attach(|py| f.clone_ref(py));
                std::thread::spawn(move || Python::attach(|py| f.call1(py, (i,)).and_then(|v| v.extract::<usize>(py))))
            })
            .collect();
        let mut sum = 0;
        for h in handles {
            sum += h.join().map_err(|_| PyValueError::new_err("panic in a thread"))??;
        }
        Ok(sum)
    })
}

/// A class with attributes, operators and a class method.
#[pyclass(subclass, weakref, dict, module = "ct_rust")]
struct Base {
    #[pyo3(get, set)]
    value: i64,
    children: Vec<Py<PyAny>>,
}

#[pymethods]
impl Base {
    #[new]
    #[pyo3(signature = (value=1))]
    fn new(value: i64) -> Self {
        Base { value, children: Vec::new() }
    }
    #[getter]
    fn double(&self) -> i64 {
        self.value * 2
    }
    #[setter]
    fn set_double(&mut self, v: i64) -> PyResult<()> {
        if v % 2 != 0 {
            return Err(PyValueError::new_err("odd"));
        }
        self.value = v / 2;
        Ok(())
    }
    #[classmethod]
    fn from_text<'py>(cls: &Bound<'py, PyType>, text: &str) -> PyResult<Bound<'py, PyAny>> {
        let n: i64 = text.parse().map_err(|_| PyValueError::new_err(format!("no number: {text}")))?;
        cls.call1((n,))
    }
    #[staticmethod]
    fn answer() -> i64 {
        42
    }
    #[classattr]
    const CONSTANT: &'static str = "constant";
    fn push(&mut self, child: Py<PyAny>) {
        self.children.push(child);
    }
    fn mutate_while_borrowed(slf: &Bound<'_, Self>, f: &Bound<'_, PyAny>) -> PyResult<()> {
        let _guard = slf.borrow_mut();
        f.call0()?;
        Ok(())
    }
    fn __repr__(&self) -> String {
        format!("Base({})", self.value)
    }
    fn __add__(&self, other: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        let py = other.py();
        match other.extract::<i64>() {
            Ok(n) => Ok(Base::new(self.value + n).into_pyobject(py)?.into_any().unbind()),
            Err(_) => Ok(py.NotImplemented()),
        }
    }
    fn __eq__(&self, other: &Self) -> bool {
        self.value == other.value
    }
    fn __hash__(&self) -> u64 {
        self.value as u64
    }
    fn __len__(&self) -> usize {
        self.children.len()
    }
    fn __getitem__(&self, i: isize, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let i = if i < 0 { i + self.children.len() as isize } else { i };
        self.children.get(i as usize).map(|c| c.clone_ref(py)).ok_or_else(|| pyo3::exceptions::PyIndexError::new_err("out of range"))
    }
    fn __call__(&self, n: i64) -> i64 {
        self.value * n
    }
    fn __traverse__(&self, visit: pyo3::PyVisit<'_>) -> Result<(), pyo3::PyTraverseError> {
        self.children.iter().try_for_each(|c| visit.call(c))
    }
    fn __clear__(&mut self) {
        self.children.clear();
    }
}

#[pyclass(extends = Base, subclass, module = "ct_rust")]
struct Derived {
    #[pyo3(get)]
    extra: String,
}

#[pymethods]
impl Derived {
    #[new]
    fn new(value: i64, extra: String) -> PyClassInitializer<Self> {
        PyClassInitializer::from(Base::new(value)).add_subclass(Derived { extra })
    }
    fn both(slf: PyRef<'_, Self>) -> String {
        format!("{}/{}", slf.as_super().value, slf.extra)
    }
}

/// Counts down; its destructor calls Python.
#[pyclass(module = "ct_rust")]
struct Countdown {
    n: u32,
    at_end: Option<Py<PyAny>>,
}

#[pymethods]
impl Countdown {
    #[new]
    #[pyo3(signature = (n, at_end=None))]
    fn new(n: u32, at_end: Option<Py<PyAny>>) -> Self {
        Countdown { n, at_end }
    }
    fn __iter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }
    fn __next__(&mut self) -> Option<u32> {
        self.n = self.n.checked_sub(1)?;
        Some(self.n)
    }
}

impl Drop for Countdown {
    fn drop(&mut self) {
        if let Some(f) = self.at_end.take() {
            Python::attach(|py| {
                if let Err(e) = f.call0(py) {
                    e.write_unraisable(py, None);
                }
            });
        }
    }
}

#[pyclass(eq, eq_int, hash, frozen, module = "ct_rust")]
#[derive(PartialEq, Hash, Clone, Copy)]
enum Colour {
    Red = 1,
    Green,
}

#[pyfunction]
fn paint(c: PyRef<'_, Colour>) -> &'static str {
    match *c {
        Colour::Red => "red",
        Colour::Green => "green",
    }
}

#[pyfunction]
fn sum_bytes(data: pyo3::buffer::PyBuffer<u8>, py: Python<'_>) -> PyResult<u64> {
    Ok(data.to_vec(py)?.iter().map(|&b| u64::from(b)).sum())
}

#[pymodule]
fn ct_rust(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add("RustError", m.py().get_type::<RustError>())?;
    m.add("__version__", env!("CARGO_PKG_VERSION"))?;
    m.add_class::<Base>()?;
    m.add_class::<Derived>()?;
    m.add_class::<Countdown>()?;
    m.add_class::<Colour>()?;
    m.add_function(wrap_pyfunction!(signature, m)?)?;
    m.add_function(wrap_pyfunction!(convert, m)?)?;
    m.add_function(wrap_pyfunction!(fail, m)?)?;
    m.add_function(wrap_pyfunction!(call, m)?)?;
    m.add_function(wrap_pyfunction!(call_and_catch, m)?)?;
    m.add_function(wrap_pyfunction!(iterate, m)?)?;
    m.add_function(wrap_pyfunction!(build, m)?)?;
    m.add_function(wrap_pyfunction!(threads, m)?)?;
    m.add_function(wrap_pyfunction!(paint, m)?)?;
    m.add_function(wrap_pyfunction!(sum_bytes, m)?)?;
    let sub = PyModule::new(m.py(), "sub")?;
    sub.add("x", 1)?;
    m.add_submodule(&sub)
}
