//! The module `_curses_panel`: windows stacked upon each other.

use crate::convert::{ERROR as CURSES_ERROR, initialised};
use crate::ncurses::ERR;
use crate::window::{PyCursesWindow_Type, Window};
use core::ffi::{c_int, c_void};
use core::ptr::{null, null_mut};
use core::sync::atomic::{AtomicPtr, Ordering::Relaxed};
use taipan_abi::*;
use taipan_clinic::from_arg::Where;
use taipan_clinic::{FromArg, methods, module::add_object, module::heap_type};
use taipan_objects::typeobject::TYPE_INIT;

/// The library of panels.
mod lib {
    use crate::ncurses::WINDOW;
    use core::ffi::{c_int, c_void};

    /// A panel, which only the library looks into.
    pub enum PANEL {}

    crate::library! {
        /// Panels over ncurses.
        "_curses_panel", ["libpanelw.so.6"];
        functions {
            fn bottom_panel(pan: *mut PANEL) -> c_int;
            fn del_panel(pan: *mut PANEL) -> c_int;
            fn hide_panel(pan: *mut PANEL) -> c_int;
            fn move_panel(pan: *mut PANEL, y: c_int, x: c_int) -> c_int;
            fn new_panel(win: *mut WINDOW) -> *mut PANEL;
            fn panel_above(pan: *const PANEL) -> *mut PANEL;
            fn panel_below(pan: *const PANEL) -> *mut PANEL;
            fn panel_hidden(pan: *const PANEL) -> c_int;
            fn panel_userptr(pan: *const PANEL) -> *const c_void;
            fn replace_panel(pan: *mut PANEL, win: *mut WINDOW) -> c_int;
            fn set_panel_userptr(pan: *mut PANEL, data: *const c_void) -> c_int;
            fn show_panel(pan: *mut PANEL) -> c_int;
            fn top_panel(pan: *mut PANEL) -> c_int;
            fn update_panels();
        }
        pointers {}
        variables {}
    }
}

/// A panel; it keeps its window alive.
#[repr(C)]
struct Panel {
    ob_base: PyObject,
    pan: *mut lib::PANEL,
    window: *mut PyObject,
    /// The next of all panels.
    next: *mut Panel,
}
type P<'a> = Borrowed<'a, Panel>;

/// The type.
static TYPE: AtomicPtr<PyTypeObject> = AtomicPtr::new(null_mut());
/// `_curses_panel.error`.
static ERROR: AtomicPtr<PyObject> = AtomicPtr::new(null_mut());
/// The first of all panels: the library gives back its own pointers, for which the objects must be found.
static ALL: AtomicPtr<Panel> = AtomicPtr::new(null_mut());

fn error(message: &str) -> Raised {
    // SAFETY: [GIL] made with the module.
    unsafe { taipan_abi::error::raise_str(ERROR.load(Relaxed), message) }
}
fn check(code: c_int, name: &str) -> PyResult<()> {
    if code == ERR { Err(error(&format!("{name}() returned ERR"))) } else { Ok(()) }
}

/// The object for a panel of the library; `None` for none.
fn object(pan: *mut lib::PANEL, function: &str) -> PyResult<Option<Owned<Panel>>> {
    if pan.is_null() {
        return Ok(None);
    }
    let mut p = ALL.load(Relaxed);
    // SAFETY: [GIL] panels leave the list before they are freed.
    unsafe {
        while !p.is_null() {
            if (*p).pan == pan {
                return Ok(Some(Owned::from_borrowed(p)));
            }
            p = (*p).next;
        }
    }
    bail!(PyExc_RuntimeError, "{}: can't find Panel Object", function)
}

/// A window as argument.
#[derive(Clone, Copy)]
struct WindowArg<'a>(Borrowed<'a, Window>);
impl<'a> FromArg<'a> for WindowArg<'a> {
    unsafe fn from_arg(arg: *mut PyObject, at: Where<'_>) -> PyResult<Self> {
        // SAFETY: [TYPE] checked.
        unsafe {
            if PyObject_TypeCheck(arg, &raw mut PyCursesWindow_Type) == 0 {
                return Err(at.bad("_curses.window", arg));
            }
            Ok(WindowArg(Borrowed::from_ptr(arg.cast())))
        }
    }
}

unsafe extern "C" fn panel_dealloc(slf: *mut PyObject) {
    // SAFETY: [OWN] [TYPE]
    unsafe {
        let p = slf.cast::<Panel>();
        let tp = (*slf).ob_type;
        let data = lib::panel_userptr((*p).pan).cast::<PyObject>().cast_mut();
        if !data.is_null() {
            lib::set_panel_userptr((*p).pan, null());
            Py_DECREF(data);
        }
        lib::del_panel((*p).pan);
        if ALL.load(Relaxed) == p {
            ALL.store((*p).next, Relaxed);
        } else {
            let mut before = ALL.load(Relaxed);
            while !before.is_null() {
                if (*before).next == p {
                    (*before).next = (*p).next;
                    break;
                }
                before = (*before).next;
            }
        }
        Py_XDECREF((*p).window);
        PyObject_Free(slf.cast());
        Py_DECREF(tp.cast());
    }
}

// SAFETY of the calls below: [TYPE] a panel object's panel is valid until it is deallocated.

fn bottom(p: P<'_>) -> PyResult<()> {
    // SAFETY: [TYPE]
    check(unsafe { lib::bottom_panel(p.pan) }, "bottom")
}
fn hide(p: P<'_>) -> PyResult<()> {
    // SAFETY: [TYPE]
    check(unsafe { lib::hide_panel(p.pan) }, "hide")
}
fn show(p: P<'_>) -> PyResult<()> {
    // SAFETY: [TYPE]
    check(unsafe { lib::show_panel(p.pan) }, "show")
}
fn top(p: P<'_>) -> PyResult<()> {
    // SAFETY: [TYPE]
    check(unsafe { lib::top_panel(p.pan) }, "top")
}
fn above(p: P<'_>) -> PyResult<Option<Owned<Panel>>> {
    // SAFETY: [TYPE]
    object(unsafe { lib::panel_above(p.pan) }, "panel_above")
}
fn below(p: P<'_>) -> PyResult<Option<Owned<Panel>>> {
    // SAFETY: [TYPE]
    object(unsafe { lib::panel_below(p.pan) }, "panel_below")
}
fn hidden(p: P<'_>) -> PyResult<bool> {
    // SAFETY: [TYPE]
    Ok(unsafe { lib::panel_hidden(p.pan) } != 0)
}
fn move_panel(p: P<'_>, y: i32, x: i32) -> PyResult<()> {
    // SAFETY: [TYPE]
    check(unsafe { lib::move_panel(p.pan, y, x) }, "move_panel")
}
fn window(p: P<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    Ok(unsafe { Owned::from_borrowed(p.window) })
}
fn replace(p: P<'_>, win: WindowArg<'_>) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe {
        check(lib::replace_panel(p.pan, win.0.win), "replace_panel")?;
        setref(&raw mut (*p.as_ptr()).window, win.0.to_owned().into_object().into_raw());
    }
    Ok(())
}
fn set_userptr(p: P<'_>, obj: Borrowed<'_>) -> PyResult<()> {
    initialised()?;
    // SAFETY: [TYPE] [OWN] the panel owns what its pointer points to.
    unsafe {
        let old = lib::panel_userptr(p.pan).cast::<PyObject>().cast_mut();
        check(lib::set_panel_userptr(p.pan, obj.as_ptr().cast()), "set_panel_userptr")?;
        Py_INCREF(obj.as_ptr());
        Py_XDECREF(old);
    }
    Ok(())
}
fn userptr(p: P<'_>) -> PyResult<Owned> {
    initialised()?;
    // SAFETY: [TYPE] an object or NULL.
    unsafe {
        let data = lib::panel_userptr(p.pan).cast::<PyObject>().cast_mut();
        Owned::from_borrowed_or_opt(data).ok_or_else(|| error("no userptr set"))
    }
}

methods! {
    static PANEL_METHODS = [
        "above($self, /)" => above, "The panel above this one, None if there is none.";
        "below($self, /)" => below, "The panel below this one, None if there is none.";
        "bottom($self, /)" => bottom, "Put it below all others.";
        "hidden($self, /)" => hidden, "Whether it isn't shown.";
        "hide($self, /)" => hide, "Show it no longer.";
        "move($self, y, x, /)" => move_panel, "Move it to a place on the screen.";
        "replace($self, win, /)" => replace, "Give it another window.";
        "set_userptr($self, obj, /)" => set_userptr, "Attach an object.";
        "show($self, /)" => show, "Show it, above all others.";
        "top($self, /)" => top, "Put it above all others.";
        "userptr($self, /)" => userptr, "The attached object.";
        "window($self, /)" => window, "Its window.";
    ];
}
static mut TEMPLATE: PyTypeObject = PyTypeObject {
    tp_name: c"_curses_panel.panel".as_ptr(),
    tp_basicsize: size_of::<Panel>() as Py_ssize_t,
    tp_dealloc: Some(panel_dealloc),
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    tp_methods: (&raw mut PANEL_METHODS).cast(),
    ..TYPE_INIT
};

fn bottom_panel(_: ()) -> PyResult<Option<Owned<Panel>>> {
    initialised()?;
    // SAFETY: initialised.
    object(unsafe { lib::panel_above(null()) }, "panel_above")
}
fn top_panel(_: ()) -> PyResult<Option<Owned<Panel>>> {
    initialised()?;
    // SAFETY: initialised.
    object(unsafe { lib::panel_below(null()) }, "panel_below")
}
fn update_panels(_: ()) -> PyResult<()> {
    initialised()?;
    // SAFETY: initialised.
    unsafe { lib::update_panels() };
    Ok(())
}
fn new_panel(_: (), win: WindowArg<'_>) -> PyResult<Owned<Panel>> {
    // SAFETY: [OWN] a zeroed instance, filled at once.
    unsafe {
        let pan = lib::new_panel(win.0.win);
        if pan.is_null() {
            return Err(error("curses function returned NULL"));
        }
        let new = match taipan_clinic::support::new::<Panel>(TYPE.load(Relaxed)) {
            Ok(new) => new,
            Err(e) => {
                lib::del_panel(pan);
                return Err(e);
            }
        };
        let p = new.as_ptr();
        (*p).pan = pan;
        (*p).window = win.0.to_owned().into_object().into_raw();
        (*p).next = ALL.load(Relaxed);
        ALL.store(p, Relaxed);
        Ok(new)
    }
}

methods! {
    static METHODS = [
        "bottom_panel($module, /)" => bottom_panel, "The lowest panel, None if there is none.";
        "new_panel($module, win, /)" => new_panel, "A panel for a window, above all others.";
        "top_panel($module, /)" => top_panel, "The highest panel, None if there is none.";
        "update_panels($module, /)" => update_panels, "Bring the virtual screen up to date; doupdate() shows it.";
    ];
}

fn exec(module: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: [GIL] static descriptions.
    unsafe {
        // It knows whether there is a screen, and without it there are no windows.
        drop(Owned::from_owned_or_err(PyImport_ImportModule(c"_curses".as_ptr()))?);
        if CURSES_ERROR.load(Relaxed).is_null() {
            bail!(PyExc_ImportError, "_curses isn't initialised");
        }
        lib::load()?;
        let tp = heap_type(module, &raw mut TEMPLATE)?;
        TYPE.store(tp, Relaxed);
        check_status(PyModule_AddType(module.ob(), tp))?;
        let class = Owned::from_owned_or_err(PyErr_NewException(c"_curses_panel.error".as_ptr(), null_mut(), null_mut()))?;
        ERROR.store(class.clone().into_raw(), Relaxed);
        add_object(module, c"error", Ok(class))?;
        let version = taipan_clinic::support::string("2.1")?;
        check_status(PyObject_SetAttrString(module.ob(), c"version".as_ptr(), version.as_ptr()))?;
        check_status(PyObject_SetAttrString(module.ob(), c"__version__".as_ptr(), version.as_ptr()))
    }
}

unsafe extern "C" fn exec_entry(module: *mut PyObject) -> c_int {
    // SAFETY: [ARGS] called as Py_mod_exec.
    exec(unsafe { Borrowed::from_ptr(module) }).into_c()
}

/// Entry point of `_curses_panel`: for one interpreter, because the library knows one stack of panels.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyInit__curses_panel() -> *mut PyObject {
    static mut SLOTS: [PyModuleDef_Slot; 4] = [
        PyModuleDef_Slot { slot: Py_mod_exec, value: exec_entry as *mut c_void },
        PyModuleDef_Slot { slot: Py_mod_multiple_interpreters, value: Py_MOD_MULTIPLE_INTERPRETERS_NOT_SUPPORTED },
        PyModuleDef_Slot { slot: Py_mod_gil, value: Py_MOD_GIL_NOT_USED },
        PyModuleDef_Slot { slot: 0, value: null_mut() },
    ];
    static mut DEF: PyModuleDef = PyModuleDef {
        m_base: PyModuleDef_HEAD_INIT,
        m_name: c"_curses_panel".as_ptr(),
        m_doc: null(),
        m_size: 0,
        m_methods: (&raw mut METHODS).cast(),
        m_slots: (&raw mut SLOTS).cast(),
        m_traverse: None,
        m_clear: None,
        m_free: None,
    };
    // SAFETY: [STATIC] the definition is static.
    unsafe { PyModuleDef_Init(&raw mut DEF) }
}
