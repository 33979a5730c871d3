"""Escaping, and the str subclass around it."""
import gc
import markupsafe
from markupsafe import Markup, escape, escape_silent, soft_str
from markupsafe import _speedups

assert markupsafe._escape_inner is _speedups._escape_inner

# every replaced character, in each of the three widths of str
assert str(escape("&<>'\"")) == "&amp;&lt;&gt;&#39;&#34;"
assert str(escape("no change")) == "no change"
assert str(escape("é<ü>" * 1000)) == "é&lt;ü&gt;" * 1000
assert str(escape("€<漢>'")) == "€&lt;漢&gt;&#39;"
assert str(escape("😀<&😀>\"")) == "😀&lt;&amp;😀&gt;&#34;"
assert str(escape("")) == ""
assert str(escape(42)) == "42" and str(escape(None)) == "None"
assert escape_silent(None) == Markup("") and soft_str(Markup("x")) == "x"
text = "unchanged"
assert _speedups._escape_inner(text) is text
for bad in (b"bytes", 1, None):
    try:
        _speedups._escape_inner(bad)
    except SystemError as e:
        # The extension itself forgets the exception.
        assert "without" in str(e) and "exception" in str(e)
    else:
        raise AssertionError(bad)


class Html:
    def __html__(self):
        return "<b>bold</b>"


assert str(escape(Html())) == "<b>bold</b>"


class Sub(str):
    pass


assert str(escape(Sub("<x>"))) == "&lt;x&gt;"

m = Markup("<em>%s</em>") % "<evil>"
assert m == "<em>&lt;evil&gt;</em>" and type(m) is Markup
assert Markup("{0} {k:>5}").format("<", k="&") == "&lt;     &amp;"
assert Markup("a") + "<" == "a&lt;" and "<" + Markup("a") == "&lt;a"
assert Markup("<a>") * 2 == "<a><a>"
assert Markup("x").join(["<", Markup(">")]) == "&lt;x>"
assert Markup("&lt;b&gt; &amp; &eacute;").unescape() == "<b> & é"
assert Markup("<p>a <b>b</b>  c</p>").striptags() == "a b c"
assert Markup("a,b").split(",") == [Markup("a"), Markup("b")]
assert isinstance(Markup("x y").partition(" ")[0], Markup)
assert Markup("%(a)s %(a)r") % {"a": "<"} == "&lt; &#39;&lt;&#39;"

for i in range(20000):
    escape("<%d>" % i)
gc.collect()
