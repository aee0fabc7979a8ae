"""The types of the server's API, for type checkers and editors only: nothing here exists at run time.

    if TYPE_CHECKING:
        from opencode_nb.api.types import params, results

`results`: what operations and event streams return, a class or union per schema. `params`: what they take, as
TypedDicts. `operations`, `async_operations`: the methods of Client and AsyncClient. All four are generated from the
server's OpenAPI document (`make spec`, opencode_nb.api.typegen). `base`: their handwritten base, which explains how to
read a result's fields, and how a newer server's variants appear.
"""
