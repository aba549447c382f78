declare const brand: unique symbol;

/** A value that one parse function has checked. The brand exists in the types only; at run time there is only the value. */
export type Brand<T, Name extends string> = T & { readonly [brand]: Name };
