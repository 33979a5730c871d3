//! The `_heapq` module: a list as a binary heap.

use taipan_abi::*;
use taipan_clinic::{methods, module};

/// A heap: its list, and whether the greatest item comes first.
#[derive(Clone, Copy)]
struct Heap<'a> {
    list: Borrowed<'a>,
    max: bool,
}

impl<'a> Heap<'a> {
    fn new(list: Borrowed<'a>, max: bool) -> PyResult<Self> {
        // SAFETY: [ARGS]
        unsafe {
            if PyList_Check(list.ob()) == 0 {
                bail!(PyExc_TypeError, "argument must be list, not {}", type_name(list.ob()));
            }
        }
        Ok(Heap { list, max })
    }
    fn len(self) -> isize {
        // SAFETY: [TYPE]
        unsafe { PyList_Size(self.list.ob()) }
    }
    fn get(self, i: isize) -> Owned {
        // SAFETY: [TYPE] the callers check the size after each comparison.
        unsafe { Owned::from_borrowed(PyList_GET_ITEM(self.list.ob(), i)) }
    }
    fn swap(self, i: isize, j: isize) {
        // SAFETY: [TYPE] exchanging two items changes no counts.
        unsafe {
            let (a, b) = (PyList_GET_ITEM(self.list.ob(), i), PyList_GET_ITEM(self.list.ob(), j));
            PyList_SET_ITEM(self.list.ob(), i, b);
            PyList_SET_ITEM(self.list.ob(), j, a);
        }
    }
    /// Whether item `i` belongs above item `j`. RuntimeError if comparing changes the list's size.
    fn above(self, i: isize, j: isize) -> PyResult<bool> {
        let n = self.len();
        let (a, b) = (self.get(i), self.get(j));
        let (a, b) = if self.max { (b, a) } else { (a, b) };
        // SAFETY: both held.
        let r = unsafe { PyObject_RichCompareBool(a.as_ptr(), b.as_ptr(), Py_LT) };
        check_status(r)?;
        if self.len() != n {
            bail!(PyExc_RuntimeError, "list changed size during iteration");
        }
        Ok(r > 0)
    }
    fn sift_down(self, start: isize, mut pos: isize) -> PyResult<()> {
        if pos >= self.len() {
            bail!(PyExc_IndexError, "index out of range");
        }
        while pos > start {
            let parent = (pos - 1) >> 1;
            if !self.above(pos, parent)? {
                break;
            }
            self.swap(pos, parent);
            pos = parent;
        }
        Ok(())
    }
    /// Moves the smaller children up until a leaf, then lets the item rise to its place.
    fn sift_up(self, mut pos: isize) -> PyResult<()> {
        let end = self.len();
        let start = pos;
        if pos >= end {
            bail!(PyExc_IndexError, "index out of range");
        }
        let limit = end >> 1;
        while pos < limit {
            let mut child = 2 * pos + 1;
            if child + 1 < end && !self.above(child, child + 1)? {
                child += 1;
            }
            self.swap(child, pos);
            pos = child;
        }
        self.sift_down(start, pos)
    }
    fn pop(self) -> PyResult<Owned> {
        // SAFETY: [TYPE]
        unsafe {
            let n = self.len();
            if n == 0 {
                bail!(PyExc_IndexError, "index out of range");
            }
            let last = self.get(n - 1);
            check_status(PyList_SetSlice(self.list.ob(), n - 1, n, core::ptr::null_mut()))?;
            if n == 1 {
                return Ok(last);
            }
            let top = self.get(0);
            check_status(PyList_SetItem(self.list.ob(), 0, last.into_raw()))?;
            self.sift_up(0)?;
            Ok(top)
        }
    }
    fn replace(self, item: Borrowed<'_>) -> PyResult<Owned> {
        if self.len() == 0 {
            bail!(PyExc_IndexError, "index out of range");
        }
        let top = self.get(0);
        // SAFETY: [TYPE]
        check_status(unsafe { PyList_SetItem(self.list.ob(), 0, item.to_owned().into_raw()) })?;
        self.sift_up(0)?;
        Ok(top)
    }
    fn heapify(self) -> PyResult<()> {
        for i in (0..self.len() >> 1).rev() {
            self.sift_up(i)?;
        }
        Ok(())
    }
}

fn heappush(_: (), heap: Borrowed<'_>, item: Borrowed<'_>) -> PyResult<()> {
    let h = Heap::new(heap, false)?;
    // SAFETY: [TYPE]
    check_status(unsafe { PyList_Append(heap.ob(), item.ob()) })?;
    h.sift_down(0, h.len() - 1)
}
fn heappop(_: (), heap: Borrowed<'_>) -> PyResult<Owned> {
    Heap::new(heap, false)?.pop()
}
fn heapreplace(_: (), heap: Borrowed<'_>, item: Borrowed<'_>) -> PyResult<Owned> {
    Heap::new(heap, false)?.replace(item)
}
fn heappushpop(_: (), heap: Borrowed<'_>, item: Borrowed<'_>) -> PyResult<Owned> {
    let h = Heap::new(heap, false)?;
    if h.len() == 0 {
        return Ok(item.to_owned());
    }
    let top = h.get(0);
    // SAFETY: both held.
    let r = unsafe { PyObject_RichCompareBool(top.as_ptr(), item.ob(), Py_LT) };
    check_status(r)?;
    if r == 0 {
        return Ok(item.to_owned());
    }
    if h.len() == 0 {
        bail!(PyExc_IndexError, "index out of range");
    }
    h.replace(item)
}
fn heapify(_: (), heap: Borrowed<'_>) -> PyResult<()> {
    Heap::new(heap, false)?.heapify()
}
fn heappop_max(_: (), heap: Borrowed<'_>) -> PyResult<Owned> {
    Heap::new(heap, true)?.pop()
}
fn heapreplace_max(_: (), heap: Borrowed<'_>, item: Borrowed<'_>) -> PyResult<Owned> {
    Heap::new(heap, true)?.replace(item)
}
fn heapify_max(_: (), heap: Borrowed<'_>) -> PyResult<()> {
    Heap::new(heap, true)?.heapify()
}

methods! {
    static METHODS = [
        "heappush($module, heap, item, /)" => heappush, "Push an item, keeping the heap's order.";
        "heappushpop($module, heap, item, /)" => heappushpop, "Push an item, then pop the smallest.";
        "heappop($module, heap, /)" => heappop, "Pop the smallest item.";
        "heapreplace($module, heap, item, /)" => heapreplace, "Pop the smallest item, then push one.";
        "heapify($module, heap, /)" => heapify, "Make a heap of a list, in place and in linear time.";
        "_heappop_max($module, heap, /)" => heappop_max, "Pop the greatest item of a max-heap.";
        "_heapreplace_max($module, heap, item, /)" => heapreplace_max, "Pop the greatest item of a max-heap, then push one.";
        "_heapify_max($module, heap, /)" => heapify_max, "Make a max-heap of a list.";
    ];
}
fn exec(module: Borrowed<'_>) -> PyResult<()> {
    taipan_clinic::module::add_str(module, c"__about__", "A heap keeps its smallest item first; parents stand at (k - 1) // 2.")
}
module! {
    /// Entry point.
    pub fn PyInit__heapq = "_heapq", "A list as a binary heap.", methods: METHODS, exec: exec;
}
