/** What begins like this in a configuration is a place for a value, not a value. */
export const TO_FILL_IN = 'TO BE FILLED IN:';
