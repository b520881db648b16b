META
key;value
description;District vote in Lipnica, KAMIONKA
country;Poland
unit;Lipnica
subunit;KAMIONKA
instance;2018
num_projects;4
num_votes;4
budget;120000
vote_type;ordinal
rule;greedy
date_begin;16.06.2018
date_end;30.06.2018
min_length;1
max_length;3
PROJECTS
project_id;cost;votes;score;name
1;80000;4;9;Ścieżka nad potokiem
2;30000;3;6;Plac zabaw
3;45000;2;2;Remont świetlicy
4;10000;1;1;Tablica z mapą
VOTES
voter_id;vote;voting_method
64;1,2,3;internet
65;1,3;paper
66;2,1,4;internet
67;1,2;paper
