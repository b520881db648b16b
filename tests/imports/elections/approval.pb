META
key;value
description;Neighbourhood budget of Brzegowo
country;Poland
unit;Brzegowo
subunit;Stare Miasto
instance;2021
num_projects;4
num_votes;6
budget;90000
vote_type;approval
rule;greedy
date_begin;1.10.2021
date_end;14.10.2021
min_length;1
max_length;3
max_sum_cost;90000
language;pl
PROJECTS
project_id;cost;category;votes;name;target;selected;latitude;longitude
BR-1;40000;public space,urban greenery;4;Ławki przy bulwarze;seniors;1;52.4064;16.9252
BR-2;25000.50;sport;3;"Boisko ""Orlik""; oświetlenie";children,youth;1;52.4101;16.9310
BR-3;20000;culture;2;Kino letnie;None;0;;
BR-4;65000;;1;Wiata rowerowa;;2;;
VOTES
voter_id;age;sex;voting_method;vote;neighborhood
1;34;F;internet;BR-1,BR-2;Rynek
2;71;M;paper;BR-1;Rynek
3;16;F;internet;BR-2,BR-3;Nadrzecze
4;;M;internet;BR-1,BR-2,BR-3;None
5;40-59;;internet;BR-1;Nadrzecze
6;28;F;paper;BR-4;
