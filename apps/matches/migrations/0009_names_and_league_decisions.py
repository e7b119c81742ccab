"""Clubs get full, short and common names, a code, colours and a text to search; leagues' decisions get tables.

`manage.py load_reference_data`, which the stack runs after the migrations, fills them from the lists that come with SPAI.
"""

import django.db.models.deletion
import django.db.models.functions.text
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("matches", "0008_kickoff_source"),
    ]

    operations = [
        migrations.AddField(
            model_name="team",
            name="code",
            field=models.CharField(
                blank=True, help_text="Three letters; made of the name where it is empty.", max_length=3
            ),
        ),
        migrations.AddField(
            model_name="team",
            name="first_colour",
            field=models.CharField(blank=True, help_text="Such as #da291c; neutral where it is empty.", max_length=7),
        ),
        migrations.AddField(
            model_name="team",
            name="full_name",
            field=models.CharField(blank=True, max_length=120),
        ),
        migrations.AddField(
            model_name="team",
            name="other_names",
            field=models.CharField(blank=True, help_text="What people call it, separated by “|”.", max_length=200),
        ),
        migrations.AddField(
            model_name="team",
            name="short_name",
            field=models.CharField(blank=True, help_text="Shown on pages; the name where it is empty.", max_length=60),
        ),
        migrations.AddField(
            model_name="team",
            name="second_colour",
            field=models.CharField(blank=True, max_length=7),
        ),
        migrations.AddField(
            model_name="teamalias",
            name="search_text",
            field=models.GeneratedField(
                db_persist=True,
                expression=models.Func(
                    django.db.models.functions.text.Lower(
                        models.Func(
                            models.Func(
                                models.Func(
                                    models.Func(
                                        models.Func(
                                            models.Func(
                                                models.Func(
                                                    django.db.models.functions.text.Concat(
                                                        models.Value("| "),
                                                        models.F("name"),
                                                        models.Value(" "),
                                                        models.Value("|"),
                                                        output_field=models.TextField(),
                                                    ),
                                                    models.Value("ß"),
                                                    models.Value("ss"),
                                                    function="replace",
                                                    output_field=models.TextField(),
                                                ),
                                                models.Value("æ"),
                                                models.Value("ae"),
                                                function="replace",
                                                output_field=models.TextField(),
                                            ),
                                            models.Value("Æ"),
                                            models.Value("ae"),
                                            function="replace",
                                            output_field=models.TextField(),
                                        ),
                                        models.Value("œ"),
                                        models.Value("oe"),
                                        function="replace",
                                        output_field=models.TextField(),
                                    ),
                                    models.Value("Œ"),
                                    models.Value("oe"),
                                    function="replace",
                                    output_field=models.TextField(),
                                ),
                                models.Value("&"),
                                models.Value(" and "),
                                function="replace",
                                output_field=models.TextField(),
                            ),
                            models.Value(
                                "ÀÁÂÃÄÅÇÈÉÊËÌÍÎÏÑÒÓÔÕÖÙÚÛÜÝàáâãäåçèéêëìíîïñòóôõöùúûüýÿĀāĂăĄąĆćĈĉĊċČčĎďĒēĔĕĖėĘęĚěĜĝĞğĠġĢģĤĥĨĩĪīĬĭĮįİĲĳĴĵĶķĹĺĻļĽľĿŀŃńŅņŇňŌōŎŏŐőŔŕŖŗŘřŚśŜŝŞşŠšŢţŤťŨũŪūŬŭŮůŰűŲųŴŵŶŷŸŹźŻżŽžſȘșȚțøØłŁđĐıðÐħĦ-–—_/,;:()[]\"“”'’‘`´."
                            ),
                            models.Value(
                                "aaaaaaceeeeiiiinooooouuuuyaaaaaaceeeeiiiinooooouuuuyyaaaaaaccccccccddeeeeeeeeeegggggggghhiiiiiiiiiiijjkkllllllllnnnnnnoooooorrrrrrssssssssttttuuuuuuuuuuuuwwyyyzzzzzzsssttoollddiddhh               "
                            ),
                            function="translate",
                            output_field=models.TextField(),
                        )
                    ),
                    models.Value(" +"),
                    models.Value(" "),
                    models.Value("g"),
                    function="regexp_replace",
                    output_field=models.TextField(),
                ),
                output_field=models.TextField(),
            ),
        ),
        migrations.AddField(
            model_name="team",
            name="search_text",
            field=models.GeneratedField(
                db_persist=True,
                expression=models.Func(
                    django.db.models.functions.text.Lower(
                        models.Func(
                            models.Func(
                                models.Func(
                                    models.Func(
                                        models.Func(
                                            models.Func(
                                                models.Func(
                                                    django.db.models.functions.text.Concat(
                                                        models.Value("| "),
                                                        models.F("name"),
                                                        models.Value(" "),
                                                        models.Value("| "),
                                                        models.F("short_name"),
                                                        models.Value(" "),
                                                        models.Value("| "),
                                                        models.F("full_name"),
                                                        models.Value(" "),
                                                        models.Value("| "),
                                                        models.F("other_names"),
                                                        models.Value(" "),
                                                        models.Value("| "),
                                                        models.F("code"),
                                                        models.Value(" "),
                                                        models.Value("|"),
                                                        output_field=models.TextField(),
                                                    ),
                                                    models.Value("ß"),
                                                    models.Value("ss"),
                                                    function="replace",
                                                    output_field=models.TextField(),
                                                ),
                                                models.Value("æ"),
                                                models.Value("ae"),
                                                function="replace",
                                                output_field=models.TextField(),
                                            ),
                                            models.Value("Æ"),
                                            models.Value("ae"),
                                            function="replace",
                                            output_field=models.TextField(),
                                        ),
                                        models.Value("œ"),
                                        models.Value("oe"),
                                        function="replace",
                                        output_field=models.TextField(),
                                    ),
                                    models.Value("Œ"),
                                    models.Value("oe"),
                                    function="replace",
                                    output_field=models.TextField(),
                                ),
                                models.Value("&"),
                                models.Value(" and "),
                                function="replace",
                                output_field=models.TextField(),
                            ),
                            models.Value(
                                "ÀÁÂÃÄÅÇÈÉÊËÌÍÎÏÑÒÓÔÕÖÙÚÛÜÝàáâãäåçèéêëìíîïñòóôõöùúûüýÿĀāĂăĄąĆćĈĉĊċČčĎďĒēĔĕĖėĘęĚěĜĝĞğĠġĢģĤĥĨĩĪīĬĭĮįİĲĳĴĵĶķĹĺĻļĽľĿŀŃńŅņŇňŌōŎŏŐőŔŕŖŗŘřŚśŜŝŞşŠšŢţŤťŨũŪūŬŭŮůŰűŲųŴŵŶŷŸŹźŻżŽžſȘșȚțøØłŁđĐıðÐħĦ-–—_/,;:()[]\"“”'’‘`´."
                            ),
                            models.Value(
                                "aaaaaaceeeeiiiinooooouuuuyaaaaaaceeeeiiiinooooouuuuyyaaaaaaccccccccddeeeeeeeeeegggggggghhiiiiiiiiiiijjkkllllllllnnnnnnoooooorrrrrrssssssssttttuuuuuuuuuuuuwwyyyzzzzzzsssttoollddiddhh               "
                            ),
                            function="translate",
                            output_field=models.TextField(),
                        )
                    ),
                    models.Value(" +"),
                    models.Value(" "),
                    models.Value("g"),
                    function="regexp_replace",
                    output_field=models.TextField(),
                ),
                output_field=models.TextField(),
            ),
        ),
        migrations.CreateModel(
            name="AwardedResult",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("decided_on", models.DateField(help_text="Day on which it was published.")),
                ("reason", models.CharField(max_length=400)),
                ("source", models.CharField(help_text="Who published it, or an address.", max_length=400)),
                (
                    "recorded_by",
                    models.CharField(blank=True, help_text="The user name; empty for shipped data.", max_length=150),
                ),
                ("recorded_at", models.DateTimeField()),
                ("undone_at", models.DateTimeField(blank=True, null=True)),
                ("undone_by", models.CharField(blank=True, max_length=150)),
                ("undo_reason", models.CharField(blank=True, max_length=400)),
                ("played_on", models.DateField(help_text="Day of the match, in UTC.")),
                ("home_goals", models.PositiveSmallIntegerField(help_text="As the table counts them.")),
                ("away_goals", models.PositiveSmallIntegerField()),
                (
                    "away_team",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="away_awarded_results",
                        to="matches.team",
                    ),
                ),
                (
                    "home_team",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="home_awarded_results",
                        to="matches.team",
                    ),
                ),
                (
                    "season",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="awarded_results", to="matches.season"
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("reason", ""), _negated=True), models.Q(("source", ""), _negated=True)
                        ),
                        name="awardedresult_has_reason_and_source",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("undo_reason", ""), ("undone_at__isnull", True), ("undone_by", "")),
                            models.Q(
                                ("undone_at__isnull", False),
                                models.Q(("undone_by", ""), _negated=True),
                                models.Q(("undo_reason", ""), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="awardedresult_undo_whole",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("home_team", models.F("away_team")), _negated=True),
                        name="awardedresult_two_teams",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("undone_at__isnull", True)),
                        fields=("season", "home_team", "away_team", "played_on"),
                        name="awardedresult_unique",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="PointsAdjustment",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("decided_on", models.DateField(help_text="Day on which it was published.")),
                ("reason", models.CharField(max_length=400)),
                ("source", models.CharField(help_text="Who published it, or an address.", max_length=400)),
                (
                    "recorded_by",
                    models.CharField(blank=True, help_text="The user name; empty for shipped data.", max_length=150),
                ),
                ("recorded_at", models.DateTimeField()),
                ("undone_at", models.DateTimeField(blank=True, null=True)),
                ("undone_by", models.CharField(blank=True, max_length=150)),
                ("undo_reason", models.CharField(blank=True, max_length=400)),
                (
                    "points",
                    models.SmallIntegerField(help_text="Negative for a deduction, positive for points given back."),
                ),
                (
                    "season",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="adjustments", to="matches.season"
                    ),
                ),
                (
                    "team",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="adjustments", to="matches.team"
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("reason", ""), _negated=True), models.Q(("source", ""), _negated=True)
                        ),
                        name="pointsadjustment_has_reason_and_source",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("undo_reason", ""), ("undone_at__isnull", True), ("undone_by", "")),
                            models.Q(
                                ("undone_at__isnull", False),
                                models.Q(("undone_by", ""), _negated=True),
                                models.Q(("undo_reason", ""), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="pointsadjustment_undo_whole",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("points", 0), _negated=True), name="pointsadjustment_has_points"
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("undone_at__isnull", True)),
                        fields=("season", "team", "decided_on"),
                        name="pointsadjustment_unique",
                    ),
                ],
            },
        ),
    ]
