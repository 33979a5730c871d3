//! "Did you mean": the name in a list that is nearest to a misspelt one.

#![allow(clippy::missing_safety_doc, reason = "[GIL] [ARGS]: the contract of CPython's C API")]

use core::ptr::null_mut;
use taipan_abi::*;

/// Longer lists are not searched.
const MAX_CANDIDATE_ITEMS: Py_ssize_t = 750;
/// Longer names (after common ends are cut off) count as too different.
const MAX_STRING_SIZE: usize = 40;
/// Cost of an insertion, a deletion or a substitution.
const MOVE_COST: usize = 2;
/// Cost of a letter in the other case.
const CASE_COST: usize = 1;

fn substitution_cost(a: u8, b: u8) -> usize {
    if a == b {
        0
    } else if a.eq_ignore_ascii_case(&b) {
        CASE_COST
    } else {
        MOVE_COST
    }
}

/// Edit distance of two names, or something above `max_cost` as soon as it is known to exceed that.
pub fn levenshtein_distance(a: &[u8], b: &[u8], max_cost: usize) -> usize {
    if a == b {
        return 0;
    }
    let prefix = a.iter().zip(b).take_while(|(x, y)| x == y).count();
    let (a, b) = (&a[prefix..], &b[prefix..]);
    let suffix = a.iter().rev().zip(b.iter().rev()).take_while(|(x, y)| x == y).count();
    let (a, b) = (&a[..a.len() - suffix], &b[..b.len() - suffix]);
    if a.is_empty() || b.is_empty() {
        return (a.len() + b.len()) * MOVE_COST;
    }
    if a.len() > MAX_STRING_SIZE || b.len() > MAX_STRING_SIZE {
        return max_cost + 1;
    }
    let (short, long) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    if (long.len() - short.len()) * MOVE_COST > max_cost {
        return max_cost + 1;
    }
    let mut row: [usize; MAX_STRING_SIZE] = core::array::from_fn(|i| (i + 1) * MOVE_COST);
    let mut result = 0;
    for (j, code) in long.iter().enumerate() {
        let mut diagonal = j * MOVE_COST;
        result = diagonal;
        let mut minimum = usize::MAX;
        for (i, other) in short.iter().enumerate() {
            let substitute = diagonal + substitution_cost(*code, *other);
            diagonal = row[i];
            result = substitute.min(result.min(diagonal) + MOVE_COST);
            row[i] = result;
            minimum = minimum.min(result);
        }
        if minimum > max_cost {
            return max_cost + 1;
        }
    }
    result
}

/// The contents of a str as UTF-8.
unsafe fn utf8<'a>(text: *mut PyObject) -> PyResult<&'a [u8]> {
    // SAFETY: [ARGS] the str keeps its UTF-8 form.
    unsafe {
        let mut size = 0;
        let data = PyUnicode_AsUTF8AndSize(text, &mut size);
        if data.is_null() {
            return Err(Raised::assume());
        }
        Ok(core::slice::from_raw_parts(data.cast(), size as usize))
    }
}

/// The str in the list `dir` that is nearest to `name`, new; NULL if none is near, or with an exception.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_CalculateSuggestions(dir: *mut PyObject, name: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if Py_TYPE(dir) != &raw mut PyList_Type {
            PyErr_SetString(PyExc_TypeError, c"dir must be a list".as_ptr());
            return null_mut();
        }
        let n = PyList_GET_SIZE(dir);
        if n >= MAX_CANDIDATE_ITEMS {
            return null_mut();
        }
        let Ok(wanted) = utf8(name) else { return null_mut() };
        let mut best = null_mut();
        let mut best_distance = usize::MAX;
        for i in 0..n {
            let item = PyList_GET_ITEM(dir, i);
            if _PyUnicode_Equal(name, item) != 0 {
                continue;
            }
            let Ok(candidate) = utf8(item) else { return null_mut() };
            // A third of the characters may differ.
            let limit = ((wanted.len() + candidate.len() + 3) * MOVE_COST / 6).min(best_distance - 1);
            let distance = levenshtein_distance(wanted, candidate, limit);
            if distance <= limit {
                best = item;
                best_distance = distance;
                if distance == 0 {
                    break;
                }
            }
        }
        Py_XNewRef(best)
    }
}

#[cfg(test)]
mod tests {
    use super::levenshtein_distance;

    #[test]
    fn distances() {
        let d = |a: &str, b: &str| levenshtein_distance(a.as_bytes(), b.as_bytes(), 100);
        assert_eq!(d("", ""), 0);
        assert_eq!(d("", "a"), 2);
        assert_eq!(d("a", "A"), 1);
        assert_eq!(d("Apple", "Aple"), 2);
        assert_eq!(d("Banana", "B@n@n@"), 6);
        assert_eq!(d("Cherry", "Cherry!"), 2);
        assert_eq!(d("abc", "y"), 6);
        assert_eq!(d("AttributeError", "AttributeErrop"), 2);
        assert_eq!(d("ABA", "AAB"), 4);
        assert_eq!(d("aa", "AA"), 2);
        assert_eq!(d("wxyz", "WXyz"), 2);
    }
}
