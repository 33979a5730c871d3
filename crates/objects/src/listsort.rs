//! The stable adaptive merge sort of list.sort.
