declare const brand: unique symbol;

/** A value that one parse function has checked. The brand lives in the types only; at run time it is the value itself. */
export type Brand<T, Name extends string> = T & { readonly [brand]: Name };
