//! The pickler's output: a buffer, framed from protocol 4 on, that goes to a file now and then.

use crate::opcode::*;
use crate::pickler::Pickler;
use crate::{call1, own};
use taipan_abi::*;

/// A fresh buffer.
pub unsafe fn clear_buffer(p: *mut Pickler) {
    // SAFETY: [ARGS]
    unsafe {
        (*p).output = Vec::with_capacity(WRITE_BUF_SIZE);
        (*p).has_output = true;
        (*p).frame_start = -1;
    }
}

/// Appends to the buffer; opens a frame if there should be one.
#[inline]
pub unsafe fn write(p: *mut Pickler, data: &[u8]) {
    // SAFETY: [ARGS] no Python code runs while the buffer is borrowed.
    unsafe {
        let out = &mut *(&raw mut (*p).output);
        if (*p).framing && (*p).frame_start < 0 {
            (*p).frame_start = out.len() as isize;
            out.extend_from_slice(&[0; FRAME_HEADER_SIZE]);
        }
        out.extend_from_slice(data);
    }
}

/// Appends one instruction.
#[inline]
pub unsafe fn write_op(p: *mut Pickler, op: u8) {
    // SAFETY: [ARGS]
    unsafe { write(p, &[op]) }
}

/// Closes the open frame: writes its header, or takes its room back if the frame is short.
pub unsafe fn commit_frame(p: *mut Pickler) {
    // SAFETY: [ARGS]
    unsafe {
        if !(*p).framing || (*p).frame_start < 0 {
            return;
        }
        let out = &mut *(&raw mut (*p).output);
        let start = (*p).frame_start as usize;
        (*p).frame_start = -1;
        // Shorter only if somebody has emptied the buffer from a callback.
        let Some(length) = out.len().checked_sub(start + FRAME_HEADER_SIZE) else { return };
        if length >= FRAME_SIZE_MIN {
            out[start] = FRAME;
            out[start + 1..start + FRAME_HEADER_SIZE].copy_from_slice(&(length as u64).to_le_bytes());
        } else {
            out.drain(start..start + FRAME_HEADER_SIZE);
        }
    }
}

/// The content of the buffer, which is gone afterwards.
pub unsafe fn get_string(p: *mut Pickler) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        commit_frame(p);
        (*p).has_output = false;
        let out = core::mem::take(&mut (*p).output);
        own(PyBytes_FromStringAndSize(out.as_ptr().cast(), out.len() as Py_ssize_t))
    }
}

/// Writes the buffer to the file.
pub unsafe fn flush_to_file(p: *mut Pickler) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        let output = get_string(p)?;
        if let Some(write) = Owned::from_borrowed_or_opt((*p).write) {
            call1(write.as_ptr(), output.as_ptr())?;
        }
        Ok(())
    }
}

/// To be called between the pickles of two objects: ends a frame that has become long.
#[inline]
pub unsafe fn opcode_boundary(p: *mut Pickler) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        if (*p).framing && (*p).frame_start >= 0 {
            let length = (*p).output.len().saturating_sub((*p).frame_start as usize + FRAME_HEADER_SIZE);
            if length >= FRAME_SIZE_TARGET {
                commit_frame(p);
                if !(*p).write.is_null() {
                    flush_to_file(p)?;
                    clear_buffer(p);
                }
            }
        }
        Ok(())
    }
}

/// Writes an instruction with its data. Long data have no frame and go to the file directly, as `payload` if the caller has
/// them as an object.
pub unsafe fn write_bytes(p: *mut Pickler, header: &[u8], data: &[u8], payload: Option<*mut PyObject>) -> PyResult<()> {
    // SAFETY: [ARGS] data outlive the call.
    unsafe {
        let bypass = data.len() >= FRAME_SIZE_TARGET;
        let framing = (*p).framing;
        if bypass {
            commit_frame(p);
            (*p).framing = false;
        }
        write(p, header);
        if bypass && !(*p).write.is_null() {
            let file = Owned::from_borrowed((*p).write);
            flush_to_file(p)?;
            let made;
            let payload = match payload {
                Some(o) => o,
                None => {
                    made = own(PyBytes_FromStringAndSize(data.as_ptr().cast(), data.len() as Py_ssize_t))?;
                    made.as_ptr()
                }
            };
            call1(file.as_ptr(), payload)?;
            clear_buffer(p);
        } else {
            write(p, data);
        }
        (*p).framing = framing;
        Ok(())
    }
}
