import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('workshop', '0003_access'),
    ]

    operations = [
        migrations.CreateModel(
            name='Payment',
            fields=[
                ('number', models.BigAutoField(primary_key=True, serialize=False)),
                ('id', models.CharField(max_length=20, unique=True)),
                ('note', models.CharField(blank=True, max_length=20)),
                ('machine', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, to='workshop.machine')),
            ],
        ),
    ]
