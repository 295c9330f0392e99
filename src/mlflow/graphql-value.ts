import { Kind, type ObjectFieldNode, type ValueNode } from 'graphql/language'

/** Values of variables by name, without a prototype: a variable may have any name. */
type Variables = Readonly<Record<string, unknown>> | undefined

/** The JSON that a literal stands for (GraphQL October 2021, section 2.9); undefined for a variable without a value. */
export function literalValue(node: ValueNode, variables?: Variables): unknown {
  switch (node.kind) {
    case Kind.NULL:
      return null
    case Kind.INT:
      return Number.parseInt(node.value, 10)
    case Kind.FLOAT:
      return Number.parseFloat(node.value)
    case Kind.STRING:
    case Kind.ENUM:
    case Kind.BOOLEAN:
      return node.value
    case Kind.LIST:
      return node.values.map((each) => literalValue(each, variables))
    case Kind.OBJECT:
      return objectOf(node.fields, variables)
    case Kind.VARIABLE:
      return variables?.[node.name.value]
  }
}

/** Without a prototype: a field may have any name. */
function objectOf(fields: readonly ObjectFieldNode[], variables: Variables): object {
  const object: Record<string, unknown> = Object.create(null)
  for (const { name, value } of fields) object[name.value] = literalValue(value, variables)
  return object
}
