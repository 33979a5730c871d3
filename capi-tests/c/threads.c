/* Threads that Python doesn't know, the GIL given up and taken, pending calls, thread-specific storage, locks. */
#include <Python.h>
#include <pthread.h>
#include <unistd.h>

typedef struct {
    PyObject *callback;
    int calls, failures, nested;
} Job;

static void *foreign_thread(void *arg)
{
    Job *job = arg;
    for (int i = 0; i < job->calls; i++) {
        PyGILState_STATE state = PyGILState_Ensure();
        /* Once more: the thread has a state now. */
        PyGILState_STATE again = PyGILState_Ensure();
        job->nested += again == PyGILState_LOCKED;
        PyObject *result = PyObject_CallFunction(job->callback, "i", i);
        if (result == NULL) {
            job->failures++;
            PyErr_Clear();
        }
        Py_XDECREF(result);
        PyGILState_Release(again);
        PyGILState_Release(state);
    }
    return NULL;
}

/* call_from_threads(callback, threads, calls): (failures, nested). */
static PyObject *call_from_threads(PyObject *module, PyObject *args)
{
    PyObject *callback;
    int threads, calls;
    if (!PyArg_ParseTuple(args, "Oii", &callback, &threads, &calls))
        return NULL;
    pthread_t ids[16];
    Job jobs[16];
    if (threads > 16)
        return PyErr_Format(PyExc_ValueError, "too many threads: %d", threads);
    int started = 0;
    for (; started < threads; started++) {
        jobs[started] = (Job){callback, calls, 0, 0};
        if (pthread_create(&ids[started], NULL, foreign_thread, &jobs[started]) != 0)
            break;
    }
    int failures = 0, nested = 0;
    Py_BEGIN_ALLOW_THREADS
    for (int i = 0; i < started; i++) {
        pthread_join(ids[i], NULL);
        failures += jobs[i].failures;
        nested += jobs[i].nested;
    }
    Py_END_ALLOW_THREADS
    return Py_BuildValue("(iii)", started, failures, nested);
}

/* A thread state made by hand for a foreign thread. */
static void *own_state(void *arg)
{
    void **pair = arg;
    PyThreadState *state = PyThreadState_New(pair[0]);
    PyEval_RestoreThread(state);
    PyObject *result = PyObject_CallNoArgs(pair[1]);
    if (result == NULL)
        PyErr_Print();
    Py_XDECREF(result);
    PyThreadState_Clear(state);
    PyThreadState_DeleteCurrent();
    return NULL;
}

static PyObject *call_with_own_state(PyObject *module, PyObject *callback)
{
    void *pair[2] = {PyInterpreterState_Get(), callback};
    Py_BEGIN_ALLOW_THREADS
    for (int i = 0; i < 2; i++) {
        pthread_t id;
        if (pthread_create(&id, NULL, own_state, pair) == 0)
            pthread_join(id, NULL);
    }
    Py_END_ALLOW_THREADS
    Py_RETURN_NONE;
}

static int run_pending(void *arg)
{
    PyObject *callback = arg;
    PyObject *result = PyObject_CallNoArgs(callback);
    Py_DECREF(callback);
    Py_XDECREF(result);
    return result ? 0 : -1;
}

static void *adds_pending(void *arg)
{
    for (int i = 0; i < 1000 && Py_AddPendingCall(run_pending, arg) < 0; i++)
        usleep(1000);
    return NULL;
}

static PyObject *pending(PyObject *module, PyObject *callback)
{
    pthread_t id;
    Py_INCREF(callback);
    if (pthread_create(&id, NULL, adds_pending, callback) != 0)
        return PyErr_SetFromErrno(PyExc_OSError);
    Py_BEGIN_ALLOW_THREADS
    pthread_join(id, NULL);
    Py_END_ALLOW_THREADS
    Py_RETURN_NONE;
}

static Py_tss_t key = Py_tss_NEEDS_INIT;

static void *other_value(void *arg)
{
    *(void **)arg = PyThread_tss_get(&key);
    return NULL;
}

static PyObject *storage(PyObject *module, PyObject *none)
{
    void *elsewhere = &key;
    pthread_t id;
    if (PyThread_tss_create(&key) != 0 || PyThread_tss_set(&key, module) != 0)
        return PyErr_NoMemory();
    if (pthread_create(&id, NULL, other_value, &elsewhere) == 0)
        pthread_join(id, NULL);
    int same = PyThread_tss_get(&key) == module;
    PyThread_tss_delete(&key);
    return Py_BuildValue("(iii)", same, elsewhere == NULL, PyThread_tss_is_created(&key));
}

static PyObject *locks(PyObject *module, PyObject *none)
{
    PyThread_type_lock lock = PyThread_allocate_lock();
    int first = PyThread_acquire_lock(lock, NOWAIT_LOCK), second = PyThread_acquire_lock(lock, NOWAIT_LOCK);
    int timed = PyThread_acquire_lock_timed(lock, 1000, 0);
    PyThread_release_lock(lock);
    int third = PyThread_acquire_lock(lock, WAIT_LOCK);
    PyThread_release_lock(lock);
    PyThread_free_lock(lock);
    PyMutex mutex = {0};
    PyMutex_Lock(&mutex);
    PyMutex_Unlock(&mutex);
    return Py_BuildValue("(iiii)", first, second, timed, third);
}

static PyObject *states(PyObject *module, PyObject *none)
{
    int held = PyGILState_Check(), released, same;
    PyThreadState *state = PyThreadState_Get();
    Py_BEGIN_ALLOW_THREADS
    released = PyGILState_Check() == 0 && PyThreadState_GetUnchecked() == NULL;
    same = PyGILState_GetThisThreadState() == state;
    Py_END_ALLOW_THREADS
    return Py_BuildValue("(iiiK)", held, released, same, (unsigned long long)PyThreadState_GetID(state));
}

static PyObject *interrupt(PyObject *module, PyObject *args)
{
    unsigned long id;
    PyObject *exc;
    if (!PyArg_ParseTuple(args, "kO", &id, &exc))
        return NULL;
    return PyLong_FromLong(PyThreadState_SetAsyncExc(id, exc));
}

static PyMethodDef functions[] = {
    {"call_from_threads", call_from_threads, METH_VARARGS, NULL},
    {"call_with_own_state", call_with_own_state, METH_O, NULL},
    {"pending", pending, METH_O, NULL},
    {"storage", storage, METH_NOARGS, NULL},
    {"locks", locks, METH_NOARGS, NULL},
    {"states", states, METH_NOARGS, NULL},
    {"interrupt", interrupt, METH_VARARGS, NULL},
    {NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, .m_name = "ct_threads", .m_size = 0, .m_methods = functions,
};

PyMODINIT_FUNC PyInit_ct_threads(void) { return PyModule_Create(&definition); }
