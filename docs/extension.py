"""What these pages need of Sphinx besides: options and endings that can be linked to."""

from textwrap import indent

from generate import ended, kinds, target
from sphinx import addnodes
from sphinx.ext import intersphinx
from sphinx.util.docutils import SphinxDirective

WITHOUT = ("api", "guides/many-fits", "guides/many-dask", "guides/multistart")
"""Pages on functions with arguments of their own that are called like options."""


class Ending(SphinxDirective):
    """``.. ending:: MAXITER`` is where the table of endings leads to; it shows the message."""

    required_arguments = 1
    final_argument_whitespace = True

    def run(self):
        names = self.arguments[0].split()
        self.env.note_dependency(kinds.__file__)
        places = (
            f".. _{target(name)}:\n\n.. container:: ending\n\n{indent(ended(name), '   ')}"
            for name in names
        )
        return self.parse_text_to_nodes("\n\n".join(places))


def setting(env, signature, node):
    """``.. setting:: adam.beta1 = 0.9``, an option with its default; shown without the method."""
    name, _, default = signature.partition(" = ")
    node += addnodes.desc_name("", name.rpartition(".")[2])
    if default:
        node += addnodes.desc_annotation("", f" = {default}")
    return name


def resolve(app, env, node, contnode):
    """What backquotes name that is not ours: an option, or something of scipy.optimize."""
    if node["reftype"] != "obj":
        return None
    name, page = node["reftarget"], node["refdoc"]
    options = [f"{page.rpartition('/')[2]}.{name}", name] if page not in WITHOUT else []
    for option in options:
        found = env.domains.standard_domain.resolve_xref(
            env, page, app.builder, "setting", option, node, contnode
        )
        if found:
            return found
    theirs = node.copy()
    theirs["reftarget"] = f"scipy.optimize.{name}"
    return intersphinx.resolve_reference_any_inventory(env, True, theirs, contnode)


def setup(app):
    app.add_directive("ending", Ending)
    app.add_object_type("setting", "setting", "pair: %s; option", setting, objname="option")
    app.connect("missing-reference", resolve)
    return {"parallel_read_safe": True}
