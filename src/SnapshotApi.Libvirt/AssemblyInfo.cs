using System.Runtime.CompilerServices;

// Every type that crosses the boundary is blittable or marshalled by generated code.
[assembly: DisableRuntimeMarshalling]
