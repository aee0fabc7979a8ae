"""The types of the server's API, for type checkers and editors only: nothing here exists at run time.

    if TYPE_CHECKING:
        from opencode_nb.api.types import params, results

`results`: what operations and event streams give, a class or union for each schema. `params`: what they take, as
TypedDicts. `operations`, `async_operations`: the methods of Client and AsyncClient. All four are generated from the
server's OpenAPI document (`make spec`, opencode_nb.api.typegen). `base`: what they rest on, written by hand; read there
how a result's fields are reached, and how a newer server's variants appear.
"""
