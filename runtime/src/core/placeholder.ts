/** Begins a value of a configuration that the operator must still fill in. */
export const TO_FILL_IN = 'TO BE FILLED IN:';
