META
key;value
description;Budget citoyen de Valmont
country;France
unit;Valmont
instance;2022
num_projects;3
num_votes;5
budget;50000
vote_type;cumulative
rule;greedy
date_begin;2022-05-02
date_end;2022-05-15
min_sum_points;1
max_points;5
max_sum_points;7
language;fr
PROJECTS
project_id;cost;votes;score;name;proposer;subunit
12;20000;5;12;Jardin partagé;Collectif des Tilleuls;Centre
7;30000;3;9;Réparer la fontaine;Amis de la Fontaine;Centre
31;10000;2;3;Nichoirs;École du Pré;Le Pré
VOTES
voter_id;vote;points;district
a;12,7,31;4,2,1;Centre
b;12;5;Le Pré
c;7,31;5,2;Centre
d;12,12;1,2;
e;7,12;2,0;Le Pré
