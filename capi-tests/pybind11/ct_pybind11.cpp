// Functions, classes, inheritance with Python overrides, containers, exceptions, buffers and threads by way of pybind11.
#include <pybind11/eval.h>
#include <pybind11/functional.h>
#include <pybind11/operators.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <memory>
#include <stdexcept>
#include <thread>

namespace py = pybind11;
using namespace py::literals;

struct Animal {
    std::string name;
    static int alive;
    explicit Animal(std::string n) : name(std::move(n)) { alive++; }
    Animal(const Animal &other) : name(other.name) { alive++; }
    virtual ~Animal() { alive--; }
    virtual std::string speak(int times) const {
        std::string text;
        for (int i = 0; i < times; i++)
            text += "...";
        return text;
    }
    virtual int legs() const = 0;
};
int Animal::alive = 0;

struct Dog : Animal {
    using Animal::Animal;
    std::string speak(int times) const override { return "wuff*" + std::to_string(times); }
    int legs() const override { return 4; }
};

// Calls what a Python class overrides.
struct PyAnimal : Animal, py::trampoline_self_life_support {
    using Animal::Animal;
    std::string speak(int times) const override { PYBIND11_OVERRIDE(std::string, Animal, speak, times); }
    int legs() const override { PYBIND11_OVERRIDE_PURE(int, Animal, legs); }
};

static std::string describe(const Animal &a) {
    return a.name + " says " + a.speak(2) + " on " + std::to_string(a.legs());
}

struct Vec {
    double x, y;
    Vec operator+(const Vec &o) const { return {x + o.x, y + o.y}; }
    Vec operator*(double f) const { return {x * f, y * f}; }
    bool operator==(const Vec &o) const { return x == o.x && y == o.y; }
    Vec &operator+=(const Vec &o) {
        x += o.x;
        y += o.y;
        return *this;
    }
};

struct Grid {
    std::vector<float> cells;
    size_t rows, columns;
    Grid(size_t r, size_t c) : cells(r * c), rows(r), columns(c) {}
};

struct Parent {
    std::shared_ptr<int> value = std::make_shared<int>(5);
    Vec inner{1, 2};
};

struct CppError : std::runtime_error {
    using std::runtime_error::runtime_error;
};

enum class Level { low = 1, high = 10 };

PYBIND11_MODULE(ct_pybind11, m, py::mod_gil_not_used()) {
    m.doc() = "Built with pybind11.";
    m.attr("constant") = 42;

    m.def("add", [](int a, int b) { return a + b; }, "Adds.", "a"_a, "b"_a = 10);
    m.def("overloaded", [](int) { return "int"; });
    m.def("overloaded", [](double) { return "double"; });
    m.def("overloaded", [](const std::string &) { return "string"; });
    m.def("overloaded", [](std::vector<int>) { return "list"; });
    m.def("var", [](py::args args, py::kwargs kwargs) { return py::make_tuple(args, kwargs); });
    m.def("kw_only", [](int a, int b) { return a * b; }, "a"_a, py::kw_only(), "b"_a);
    m.def("containers", [](std::map<std::string, std::vector<int>> in, std::optional<std::pair<int, std::string>> p) {
        for (auto &kv : in)
            kv.second.push_back(int(kv.second.size()));
        return std::make_tuple(in, p, std::set<int>{3, 1, 2});
    }, "in"_a, "p"_a = py::none());
    m.def("text", [](const std::u16string &s, py::bytes b) { return std::make_pair(s + u"é", std::string(b).size()); });
    m.def("apply", [](const std::function<int(int)> &f, int x) { return f(x) + 1; });
    m.def("make_adder", [](int n) { return std::function<int(int)>([n](int x) { return x + n; }); });
    m.def("raise_it", [](const std::string &how) {
        if (how == "runtime")
            throw std::runtime_error("from C++");
        if (how == "range")
            throw std::out_of_range("too far");
        if (how == "own")
            throw CppError("own error");
        if (how == "key")
            throw py::key_error("a key");
        if (how == "stop")
            throw py::stop_iteration();
        if (how == "unknown")
            throw 42;
    });
    m.def("call_and_catch", [](py::function f) -> std::string {
        try {
            f();
        } catch (py::error_already_set &e) {
            if (e.matches(PyExc_KeyError))
                return std::string("caught ") + py::str(e.value()).cast<std::string>();
            throw;
        }
        return "no error";
    });
    m.def("python", [](py::object o) {
        py::dict d("a"_a = 1, "o"_a = o);
        d["len"] = py::len(o);
        py::list l;
        for (auto item : o)
            l.append(py::str("{}!").format(item));
        d["items"] = l;
        d["module"] = py::module_::import("math").attr("sqrt")(16.0);
        d["eval"] = py::eval("x * 2", py::dict("x"_a = 21));
        d["contains"] = py::bool_(d.contains("a"));
        return d;
    });
    m.def("threads", [](py::function f, int n) {
        int sum = 0;
        {
            py::gil_scoped_release release;
            std::vector<std::thread> threads;
            for (int i = 0; i < n; i++)
                threads.emplace_back([&f, &sum, i] {
                    py::gil_scoped_acquire acquire;
                    sum += f(i).cast<int>();
                });
            for (auto &t : threads)
                t.join();
        }
        return sum;
    });
    m.def("sum_buffer", [](py::buffer b) {
        py::buffer_info info = b.request();
        if (info.format != py::format_descriptor<double>::format() || info.ndim != 1)
            throw py::type_error("a vector of doubles is wanted");
        double total = 0;
        for (py::ssize_t i = 0; i < info.shape[0]; i++)
            total += *reinterpret_cast<double *>(static_cast<char *>(info.ptr) + i * info.strides[0]);
        return total;
    });
    m.def("capsule", [] {
        return py::capsule(new int(7), [](void *p) { delete static_cast<int *>(p); });
    });

    py::class_<Animal, PyAnimal, py::smart_holder>(m, "Animal", "An animal.")
        .def(py::init<std::string>(), "name"_a)
        .def("speak", &Animal::speak, "times"_a = 1)
        .def("legs", &Animal::legs)
        .def_readwrite("name", &Animal::name)
        .def_property_readonly_static("alive", [](py::object) { return Animal::alive; });
    py::class_<Dog, Animal, py::smart_holder>(m, "Dog").def(py::init<std::string>());
    m.def("describe", &describe);
    m.def("make_dog", [](const std::string &name) -> std::unique_ptr<Animal> { return std::make_unique<Dog>(name); });

    py::class_<Vec>(m, "Vec")
        .def(py::init<double, double>(), "x"_a = 0, "y"_a = 0)
        .def_readwrite("x", &Vec::x)
        .def_readwrite("y", &Vec::y)
        .def(py::self + py::self)
        .def(py::self * double())
        .def(py::self == py::self)
        .def(py::self += py::self)
        .def("__repr__", [](const Vec &v) { return py::str("Vec({}, {})").format(v.x, v.y); })
        .def("__iter__", [](const Vec &v) { return py::iter(py::make_tuple(v.x, v.y)); })
        .def(py::pickle([](const Vec &v) { return py::make_tuple(v.x, v.y); },
                        [](py::tuple t) { return Vec{t[0].cast<double>(), t[1].cast<double>()}; }));
    py::implicitly_convertible<py::tuple, Vec>();

    py::class_<Grid>(m, "Grid", py::buffer_protocol(), py::dynamic_attr())
        .def(py::init<size_t, size_t>())
        .def_buffer([](Grid &g) {
            return py::buffer_info(g.cells.data(), sizeof(float), py::format_descriptor<float>::format(), 2, {g.rows, g.columns},
                                   {sizeof(float) * g.columns, sizeof(float)});
        });
    py::class_<Parent>(m, "Parent")
        .def(py::init<>())
        .def_readwrite("inner", &Parent::inner)
        .def("ref", [](Parent &p) -> Vec & { return p.inner; }, py::return_value_policy::reference_internal);
    py::register_exception<CppError>(m, "CppError", PyExc_ArithmeticError);
    py::enum_<Level>(m, "Level").value("low", Level::low).value("high", Level::high).export_values();
    auto sub = m.def_submodule("sub", "A submodule.");
    sub.def("f", [] { return "sub"; });
}
