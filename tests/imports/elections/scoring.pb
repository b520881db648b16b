META
key;value
description;Ideas for the common room
country;Netherlands
unit;Oosterveld Library
instance;3
num_projects;3
num_votes;4
budget;1500
currency;EUR
vote_type;scoring
rule;unknown
date_begin;2023
date_end;2023
min_points;0
max_points;10
default_score;0
PROJECTS
project_id;cost;name;description;score
sofa;900;A sofa by the window;Two seats, washable covers.;17
lamps;250;Reading lamps;;20
games;120;A shelf of games;For afternoons when it rains.;9
VOTES
voter_id;vote;points;age
17;lamps,sofa,games;10,7,2;44
18;sofa;10;
19;lamps,games;8,7;31
20;lamps;2;67
