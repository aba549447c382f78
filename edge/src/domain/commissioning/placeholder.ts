/** What begins like this is a place for a value, not a value. */
export const TO_FILL_IN = 'TO BE FILLED IN:';
