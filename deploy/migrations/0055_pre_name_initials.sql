-- Initials of the pinyin of names of units, by the name: "东街第一医院" is found by "djdyyy". The console fills it.
CREATE TABLE console.name_initials (
    name     text PRIMARY KEY,
    initials text NOT NULL      -- lower case letters and digits; '' where there are none
);
